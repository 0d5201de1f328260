//! Trees against the recursion of RFC 6962, golden vectors and another implementation; and every
//! proof's refused neighbours.
#![expect(clippy::unwrap_used, reason = "a test stops at the first broken vector")]

use std::collections::BTreeMap;

use hutong_crypto::{
    Hash,
    limits::{CONSISTENCY_HASHES_MAX, COVER_SUBTREES_MAX, INCLUSION_HASHES_MAX, LOG_SIZE_MAX},
    merkle::{
        Frontier, FrontierError, MemoryTree, NodeReader, ProofError, VerifyError,
        consistency_proof, cover, empty_root, inclusion_proof, leaf_hash, node_hash, root_at,
        verify_consistency, verify_extension, verify_inclusion,
    },
};
use proptest::prelude::*;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../tests/vectors/merkle.json")).unwrap()
}

fn hash(value: &Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(hash).collect()
}

/// Leaf hashes of the entries "0", "1", "2", …
fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(i.to_string().as_bytes())).collect()
}

fn tree(leaves: &[Hash]) -> MemoryTree {
    leaves.iter().copied().collect()
}

fn frontier(leaves: &[Hash]) -> Frontier {
    let mut frontier = Frontier::new();
    for leaf in leaves {
        frontier.append(*leaf);
    }
    frontier
}

/// MTH of RFC 6962 §2.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// PATH of RFC 6962 §2.1.1.
fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return vec![];
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if index < left.len() {
        (naive_path(index, left), right)
    } else {
        (naive_path(index - left.len(), right), left)
    };
    path.push(naive_root(sibling));
    path
}

/// SUBPROOF of RFC 6962 §2.1.2.
fn naive_subproof(old: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { vec![] } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut proof, sibling) = if old <= left.len() {
        (naive_subproof(old, left, whole), right)
    } else {
        (naive_subproof(old - left.len(), right, false), left)
    };
    proof.push(naive_root(sibling));
    proof
}

/// Every proof that differs from `proof` in one hash, lacks one, has one more or two exchanged.
fn tampered(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = vec![[proof, &[Hash([0; 32])]].concat(), [&[Hash([0; 32])], proof].concat()];
    for i in 0..proof.len() {
        let mut flipped = proof.to_vec();
        flipped[i].0[i % 32] ^= 1 << (i % 8);
        all.push(flipped);
        all.push([&proof[..i], &proof[i + 1..]].concat());
        all.push([&proof[..=i], &proof[i..]].concat());
        if i > 0 && proof[i] != proof[i - 1] {
            let mut exchanged = proof.to_vec();
            exchanged.swap(i, i - 1);
            all.push(exchanged);
        }
    }
    all
}

#[test]
fn reference_tree_has_its_roots_and_proofs() {
    let vectors = vectors();
    let leaves: Vec<Hash> = vectors["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| leaf_hash(&hex::decode(entry.as_str().unwrap()).unwrap()))
        .collect();
    let tree = tree(&leaves);
    let roots = hashes(&vectors["roots"]);
    assert_eq!(roots.len(), leaves.len() + 1);
    for (size, root) in roots.iter().enumerate() {
        assert_eq!(frontier(&leaves[..size]).root(), *root);
        assert_eq!(root_at(size as u64, &tree), Ok(*root));
    }
    let number = |case: &Value, name: &str| case[name].as_u64().unwrap();
    let place = |number: u64| usize::try_from(number).unwrap();
    for case in vectors["inclusion"].as_array().unwrap() {
        let (index, size) = (number(case, "index"), number(case, "size"));
        let proof = hashes(&case["proof"]);
        assert_eq!(inclusion_proof(index, size, &tree), Ok(proof.clone()));
        let (leaf, root) = (&leaves[place(index)], &roots[place(size)]);
        assert_eq!(verify_inclusion(leaf, index, size, root, &proof), Ok(()));
    }
    for case in vectors["consistency"].as_array().unwrap() {
        let (old, new) = (number(case, "old"), number(case, "new"));
        let proof = hashes(&case["proof"]);
        assert_eq!(consistency_proof(old, new, &tree), Ok(proof.clone()));
        let (old_root, new_root) = (&roots[place(old)], &roots[place(new)]);
        assert_eq!(verify_consistency(old, old_root, new, new_root, &proof), Ok(()));
    }
}

#[test]
fn larger_trees_have_their_roots() {
    let leaves = leaves(4_999);
    let tree = tree(&leaves);
    for (size, root) in vectors()["decimal_roots"].as_object().unwrap() {
        assert_eq!(root_at(size.parse().unwrap(), &tree), Ok(hash(root)));
    }
    assert_eq!(tree.root(), frontier(&leaves).root());
}

#[test]
fn frontier_and_stored_nodes_agree_with_the_recursion() {
    let leaves = leaves(140);
    let whole = tree(&leaves);
    let mut growing = Frontier::new();
    for size in 0..=leaves.len() {
        let root = naive_root(&leaves[..size]);
        assert_eq!(growing.size(), size as u64);
        assert_eq!(growing.root(), root);
        assert_eq!(tree(&leaves[..size]).root(), root);
        assert_eq!(root_at(size as u64, &whole), Ok(root));
        assert_eq!(growing.hashes().len(), size.count_ones() as usize);
        let again = Frontier::from_parts(growing.size(), growing.hashes().to_vec());
        assert_eq!(again.as_ref(), Ok(&growing));
        if let Some(leaf) = leaves.get(size) {
            growing.append(*leaf);
        }
    }
}

#[test]
fn frontier_refuses_parts_that_do_not_fit() {
    let hashes = frontier(&leaves(5)).hashes().to_vec();
    assert!(Frontier::from_parts(5, hashes.clone()).is_ok());
    for size in [0, 1, 4, 7, 8] {
        let expected = u64::count_ones(size);
        let error = FrontierError::Hashes { size, expected, met: 2 };
        assert_eq!(Frontier::from_parts(size, hashes.clone()), Err(error));
    }
    let size = LOG_SIZE_MAX + 1;
    let error = FrontierError::Size { size };
    assert_eq!(Frontier::from_parts(size, vec![hashes[0]]), Err(error));
}

#[test]
fn every_inclusion_proof_holds_and_its_neighbours_do_not() {
    let leaves = leaves(40);
    let tree = tree(&leaves);
    for size in 1..=leaves.len() {
        let root = naive_root(&leaves[..size]);
        for index in 0..size {
            let proof = inclusion_proof(index as u64, size as u64, &tree).unwrap();
            assert_eq!(proof, naive_path(index, &leaves[..size]));
            let verify = |leaf: &Hash, index: usize, root: &Hash, proof: &[Hash]| {
                verify_inclusion(leaf, index as u64, size as u64, root, proof)
            };
            assert_eq!(verify(&leaves[index], index, &root, &proof), Ok(()));
            for proof in tampered(&proof) {
                assert!(verify(&leaves[index], index, &root, &proof).is_err());
            }
            for other in (0..size).filter(|other| *other != index) {
                assert!(verify(&leaves[index], other, &root, &proof).is_err());
                assert!(verify(&leaves[other], index, &root, &proof).is_err());
            }
            assert!(verify(&leaves[index], size, &root, &proof).is_err());
            let wrong = naive_root(&leaves[..size - 1]);
            assert!(verify(&leaves[index], index, &wrong, &proof).is_err());
        }
    }
}

#[test]
fn every_consistency_proof_holds_and_its_neighbours_do_not() {
    let leaves = leaves(40);
    let tree = tree(&leaves);
    let roots: Vec<Hash> = (0..=leaves.len()).map(|size| naive_root(&leaves[..size])).collect();
    for new in 0..=leaves.len() {
        for old in 0..=new {
            let proof = consistency_proof(old as u64, new as u64, &tree).unwrap();
            if old > 0 {
                assert_eq!(proof, naive_subproof(old, &leaves[..new], true));
            }
            let verify = |old_root: &Hash, new_root: &Hash, proof: &[Hash]| {
                verify_consistency(old as u64, old_root, new as u64, new_root, proof)
            };
            assert_eq!(verify(&roots[old], &roots[new], &proof), Ok(()));
            for proof in tampered(&proof) {
                assert!(verify(&roots[old], &roots[new], &proof).is_err());
            }
            let wrong = Hash([7; 32]);
            assert!(verify(&wrong, &roots[new], &proof).is_err());
            // Every tree grows out of the empty one, so there only the old root can be wrong.
            assert_eq!(verify(&roots[old], &wrong, &proof).is_err(), old > 0 || new == 0);
            if old != new {
                assert!(verify(&roots[new], &roots[old], &proof).is_err());
            }
        }
    }
}

#[test]
fn proofs_outside_the_tree_are_not_made_or_checked() {
    let leaves = leaves(8);
    let (tree, root) = (tree(&leaves), naive_root(&leaves));
    assert_eq!(inclusion_proof(8, 8, &tree), Err(ProofError::Index { index: 8, size: 8 }));
    assert_eq!(inclusion_proof(0, 0, &tree), Err(ProofError::Index { index: 0, size: 0 }));
    assert_eq!(consistency_proof(9, 8, &tree), Err(ProofError::Sizes { old: 9, new: 8 }));
    let size = LOG_SIZE_MAX + 1;
    assert_eq!(inclusion_proof(0, size, &tree), Err(ProofError::TooLarge { size }));
    assert_eq!(consistency_proof(0, size, &tree), Err(ProofError::TooLarge { size }));
    let leaf = &leaves[0];
    let index = VerifyError::Index { index: 8, size: 8 };
    assert_eq!(verify_inclusion(leaf, 8, 8, &root, &[]), Err(index));
    let too_large = Err(VerifyError::TooLarge { size });
    assert_eq!(verify_inclusion(leaf, 0, size, &root, &[]), too_large);
    assert_eq!(verify_consistency(0, &empty_root(), size, &root, &[]), too_large);
    let sizes = VerifyError::Sizes { old: 9, new: 8 };
    assert_eq!(verify_consistency(9, &root, 8, &root, &[]), Err(sizes));
}

/// A tree of the largest size in which all leaves are alike, so that each level has one hash.
struct Uniform(Vec<Hash>);

impl NodeReader for Uniform {
    type Error = core::convert::Infallible;

    fn node(&self, level: u8, _: u64) -> Result<Hash, Self::Error> {
        Ok(self.0[usize::from(level)])
    }
}

#[test]
fn the_largest_tree_keeps_the_bounds() {
    let mut levels = vec![leaf_hash(b"")];
    for _ in 0..63 {
        let last = levels[levels.len() - 1];
        levels.push(node_hash(&last, &last));
    }
    let tree = Uniform(levels);
    let size = LOG_SIZE_MAX;
    let root = root_at(size, &tree).unwrap();
    for index in [0, 1, size / 2, size - 1] {
        let proof = inclusion_proof(index, size, &tree).unwrap();
        assert!(proof.len() <= INCLUSION_HASHES_MAX);
        assert_eq!(verify_inclusion(&tree.0[0], index, size, &root, &proof), Ok(()));
    }
    assert_eq!(inclusion_proof(0, size, &tree).unwrap().len(), INCLUSION_HASHES_MAX);
    for old in [1, 3, size / 2 - 1, size / 2, size - 1] {
        let proof = consistency_proof(old, size, &tree).unwrap();
        assert!(proof.len() <= CONSISTENCY_HASHES_MAX);
        let old_root = root_at(old, &tree).unwrap();
        assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()));
    }
    assert!(cover(1, size).len() <= COVER_SUBTREES_MAX);
    let half = Frontier::from_parts(1 << 62, vec![tree.0[62]]).unwrap();
    let right: Vec<Hash> =
        cover(1 << 62, size).iter().map(|(level, _)| tree.0[usize::from(*level)]).collect();
    assert_eq!(verify_extension(&half, &[], &right, size, &root), Ok(half.clone()));
    let error = VerifyError::TooLarge { size: size + 1 };
    assert_eq!(verify_extension(&half, &[], &right, size + 1, &root), Err(error));
}

/// The least number of complete aligned subtrees that make up `[from, to)`, by trying all.
fn fewest(from: u64, to: u64, known: &mut BTreeMap<u64, usize>) -> usize {
    if from == to {
        return 0;
    }
    if let Some(count) = known.get(&from) {
        return *count;
    }
    let levels =
        (0..6).filter(|level| from.is_multiple_of(1 << level) && from + (1 << level) <= to);
    let steps: Vec<u64> = levels.map(|level| from + (1 << level)).collect();
    let count = steps.into_iter().map(|next| 1 + fewest(next, to, known)).min().unwrap();
    known.insert(from, count);
    count
}

#[test]
fn cover_is_complete_aligned_and_minimal() {
    for to in 0..=40 {
        for from in 0..=to {
            let subtrees = cover(from, to);
            let mut at = from;
            for (level, index) in &subtrees {
                assert_eq!(index << level, at);
                at += 1 << level;
            }
            assert_eq!(at, to);
            assert_eq!(subtrees.len(), fewest(from, to, &mut BTreeMap::new()));
        }
    }
    assert_eq!(cover(3, 3), []);
    assert_eq!(cover(4, 3), []);
    assert_eq!(cover(5, 13), [(0, 5), (1, 3), (2, 2), (0, 12)]);
    assert_eq!(cover(0, 1 << 63), [(63, 0)]);
}

#[test]
fn every_extension_up_to_forty_holds_and_its_neighbours_do_not() {
    let leaves = leaves(40);
    let tree = tree(&leaves);
    let frontiers: Vec<Frontier> = (0..=leaves.len()).map(|n| frontier(&leaves[..n])).collect();
    for size in 0..=leaves.len() {
        let root = frontiers[size].root();
        for to in 0..=size {
            let right: Vec<Hash> = cover(to as u64, size as u64)
                .into_iter()
                .map(|(level, index)| tree.node(level, index).unwrap())
                .collect();
            for from in 0..=to {
                let (start, added) = (&frontiers[from], &leaves[from..to]);
                let verify = |start: &Frontier, added: &[Hash], right: &[Hash], root: &Hash| {
                    verify_extension(start, added, right, size as u64, root)
                };
                assert_eq!(verify(start, added, &right, &root).as_ref(), Ok(&frontiers[to]));
                refuse_neighbours(start, added, &right, size as u64, &root);
            }
        }
    }
}

/// Whatever differs in one place must not verify.
fn refuse_neighbours(start: &Frontier, added: &[Hash], right: &[Hash], size: u64, root: &Hash) {
    let refused = |start: &Frontier, added: &[Hash], right: &[Hash], root: &Hash| {
        assert!(verify_extension(start, added, right, size, root).is_err());
    };
    refused(start, added, right, &Hash([7; 32]));
    for right in tampered(right) {
        refused(start, added, &right, root);
    }
    // First and last stand for all leaves: the inclusion tests go through every place.
    for place in [0, added.len().saturating_sub(1)].into_iter().filter(|i| *i < added.len()) {
        let mut changed = added.to_vec();
        changed[place] = leaf_hash(b"other");
        refused(start, &changed, right, root);
    }
    if added.len() > 1 {
        let mut exchanged = added.to_vec();
        exchanged.swap(0, 1);
        refused(start, &exchanged, right, root);
        refused(start, &added[1..], right, root);
    }
    refused(start, &[added, &[Hash([0; 32])]].concat(), right, root);
    if start.size() > 0 {
        let mut hashes = start.hashes().to_vec();
        hashes[0].0[0] ^= 1;
        let changed = Frontier::from_parts(start.size(), hashes).unwrap();
        refused(&changed, added, right, root);
    }
}

#[test]
fn extension_names_what_does_not_fit() {
    let leaves = leaves(7);
    let (start, root) = (frontier(&leaves[..3]), frontier(&leaves).root());
    let verify = |added: &[Hash], right: &[Hash], size| {
        verify_extension(&start, added, right, size, &root).unwrap_err()
    };
    assert_eq!(verify(&leaves[3..], &[], 6), VerifyError::Sizes { old: 7, new: 6 });
    assert_eq!(verify(&leaves[3..5], &[], 7), VerifyError::ProofLength { expected: 2, met: 0 });
    let met = naive_root(&[&leaves[..6], &leaves[..1]].concat());
    let swapped = [&leaves[3..6], &leaves[..1]].concat();
    assert_eq!(verify(&swapped, &[], 7), VerifyError::Root { expected: root, met });
}

/// Another implementation's view of the same nodes.
struct Stored<'a>(&'a MemoryTree);

impl tlog_tiles::tlog::HashReader for Stored<'_> {
    fn read_hashes(
        &self,
        indexes: &[u64],
    ) -> Result<Vec<tlog_tiles::tlog::Hash>, tlog_tiles::tlog::Error> {
        Ok(indexes
            .iter()
            .map(|index| {
                let (level, n) = tlog_tiles::tlog::split_stored_hash_index(*index);
                tlog_tiles::tlog::Hash(self.0.node(level, n).unwrap().0)
            })
            .collect())
    }
}

fn theirs(hash: Hash) -> tlog_tiles::tlog::Hash {
    tlog_tiles::tlog::Hash(hash.0)
}

fn ours(hashes: Vec<tlog_tiles::tlog::Hash>) -> Vec<Hash> {
    hashes.into_iter().map(|hash| Hash(hash.0)).collect()
}

proptest! {
    #[test]
    fn proofs_are_those_of_another_implementation(
        size in 1u64..600,
        a in any::<prop::sample::Index>(),
    ) {
        use tlog_tiles::tlog;
        let leaves = leaves(size);
        let tree = tree(&leaves);
        let stored = Stored(&tree);
        let place = a.index(leaves.len());
        let (index, old) = (place as u64, place as u64 + 1);
        prop_assert_eq!(tlog::tree_hash(size, &stored).unwrap().0, tree.root().0);
        let inclusion = inclusion_proof(index, size, &tree).unwrap();
        let consistency = consistency_proof(old, size, &tree).unwrap();
        prop_assert_eq!(&ours(tlog::prove_record(size, index, &stored).unwrap()), &inclusion);
        prop_assert_eq!(&ours(tlog::prove_tree(size, old, &stored).unwrap()), &consistency);
        let proof = inclusion.into_iter().map(theirs).collect();
        let root = theirs(tree.root());
        prop_assert!(tlog::check_record(&proof, size, root, index, theirs(leaves[place])).is_ok());
        let proof = consistency.into_iter().map(theirs).collect();
        let old_root = theirs(root_at(old, &tree).unwrap());
        prop_assert!(tlog::check_tree(&proof, size, root, old, old_root).is_ok());
    }

    #[test]
    fn random_ranges_extend_and_tampered_ones_do_not(
        size in 1u64..3_000,
        a in any::<prop::sample::Index>(),
        b in any::<prop::sample::Index>(),
        bit in 0usize..256,
        place in any::<prop::sample::Index>(),
    ) {
        let leaves = leaves(size);
        let tree = tree(&leaves);
        let (a, b) = (a.index(leaves.len() + 1), b.index(leaves.len() + 1));
        let (from, to) = (a.min(b), a.max(b));
        let right: Vec<Hash> = cover(to as u64, size)
            .into_iter()
            .map(|(level, index)| tree.node(level, index).unwrap())
            .collect();
        let start = frontier(&leaves[..from]);
        let extended = verify_extension(&start, &leaves[from..to], &right, size, &tree.root());
        prop_assert_eq!(extended, Ok(frontier(&leaves[..to])));
        let mut changed = [&leaves[from..to], &right].concat();
        if !changed.is_empty() {
            let place = place.index(changed.len());
            changed[place].0[bit / 8] ^= 1 << (bit % 8);
            let (added, right) = changed.split_at(to - from);
            prop_assert!(verify_extension(&start, added, right, size, &tree.root()).is_err());
        }
    }

    #[test]
    fn arbitrary_proofs_are_refused_without_panic(
        index in any::<u64>(),
        size in any::<u64>(),
        proof in proptest::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..70),
    ) {
        let (leaf, root) = (leaf_hash(b"0"), leaf_hash(b"1"));
        prop_assert!(verify_inclusion(&leaf, index, size, &root, &proof).is_err());
        prop_assert!(verify_consistency(index, &leaf, size, &root, &proof).is_err());
        prop_assert!(verify_extension(&Frontier::new(), &[], &proof, size, &root).is_err());
    }
}
