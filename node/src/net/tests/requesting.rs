use bytes::Bytes;

use super::harness::{Node, QUIC, TCP, config, pair, peer};
use crate::net::RequestFailure;
use crate::net::limits::FRAME_BYTES_MAX;

async fn ask_and_answer(listen: &str) {
    let (a, mut b) = pair(&config(1, listen), &config(2, listen)).await;
    let mut a = a;
    a.handle.send_request(7, b.peer(), Bytes::from_static(b"heads?")).await.unwrap();
    let (inbound, from, bytes) = b.request().await;
    assert_eq!((from, &bytes[..]), (a.peer(), &b"heads?"[..]));
    let answer = Bytes::from(vec![9; FRAME_BYTES_MAX]);
    b.handle.respond(inbound, answer.clone()).await.unwrap();
    assert_eq!(a.response(7).await, Ok(answer));
}

#[tokio::test]
async fn a_request_is_answered_over_tcp_with_the_largest_frame() {
    ask_and_answer(TCP).await;
}

#[tokio::test]
async fn a_request_is_answered_over_quic_with_the_largest_frame() {
    ask_and_answer(QUIC).await;
}

#[tokio::test]
async fn requests_and_answers_beyond_the_largest_frame_are_refused() {
    let (mut a, mut b) = pair(&config(1, TCP), &config(2, TCP)).await;
    let large = Bytes::from(vec![0; FRAME_BYTES_MAX + 1]);
    a.handle.send_request(1, b.peer(), large.clone()).await.unwrap();
    assert_eq!(a.response(1).await, Err(RequestFailure::TooLarge));
    a.handle.send_request(2, b.peer(), Bytes::from_static(b"?")).await.unwrap();
    let (inbound, ..) = b.request().await;
    b.handle.respond(inbound, large).await.unwrap();
    assert_eq!(a.response(2).await, Err(RequestFailure::Refused));
}

#[tokio::test]
async fn an_unanswered_request_fails_in_time() {
    let mut hasty = config(1, TCP);
    hasty.limits.request_timeout = std::time::Duration::from_millis(300);
    let (mut a, mut b) = pair(&hasty, &config(2, TCP)).await;
    a.handle.send_request(1, b.peer(), Bytes::from_static(b"?")).await.unwrap();
    let (inbound, ..) = b.request().await;
    assert_eq!(a.response(1).await, Err(RequestFailure::Timeout));
    b.handle.respond(inbound, Bytes::from_static(b"late")).await.unwrap();
    b.handle.respond(99, Bytes::from_static(b"nobody asked")).await.unwrap();
    b.handle.snapshot().await.unwrap();
}

#[tokio::test]
async fn a_request_to_a_peer_that_is_away_fails_at_once() {
    let mut a = Node::start(&config(1, TCP)).await;
    for (request, to) in [(1, peer(9)), (2, "no peer id".to_owned())] {
        a.handle.send_request(request, to, Bytes::from_static(b"?")).await.unwrap();
        assert_eq!(a.response(request).await, Err(RequestFailure::NotConnected));
    }
}

#[tokio::test]
async fn open_requests_fail_when_the_peer_leaves() {
    let (mut a, mut b) = pair(&config(1, TCP), &config(2, TCP)).await;
    a.handle.send_request(1, b.peer(), Bytes::from_static(b"?")).await.unwrap();
    b.request().await;
    b.handle.shutdown().await;
    assert_eq!(a.response(1).await, Err(RequestFailure::Closed));
}

#[tokio::test]
async fn own_requests_beyond_the_limit_wait_for_answers() {
    let mut narrow = config(1, TCP);
    narrow.limits.requests_per_peer_max = 2;
    let (mut a, mut b) = pair(&narrow, &config(2, TCP)).await;
    for request in 0..3 {
        a.handle.send_request(request, b.peer(), Bytes::from_static(b"?")).await.unwrap();
    }
    assert_eq!(a.response(2).await, Err(RequestFailure::Busy));
    for _ in 0..2 {
        let (inbound, ..) = b.request().await;
        b.handle.respond(inbound, Bytes::from_static(b"!")).await.unwrap();
    }
    assert!(a.response(0).await.is_ok() && a.response(1).await.is_ok());
}

#[tokio::test]
async fn a_slow_reader_refuses_requests_but_gets_every_answer() {
    let mut slow = config(1, TCP);
    slow.limits.events_max = 1;
    let (mut a, mut b) = pair(&slow, &config(2, TCP)).await;
    // Nobody reads the events of `a` now: two answers and then requests arrive.
    for request in 0..2 {
        a.handle.send_request(request, b.peer(), Bytes::from_static(b"?")).await.unwrap();
        let (inbound, ..) = b.request().await;
        b.handle.respond(inbound, Bytes::from_static(b"!")).await.unwrap();
    }
    let mut refused = 0;
    for request in 0..3 {
        b.handle.send_request(request, a.peer(), Bytes::from_static(b"?")).await.unwrap();
        refused += u32::from(b.response(request).await == Err(RequestFailure::Refused));
    }
    assert_eq!(refused, 3);
    assert!(a.response(0).await.is_ok() && a.response(1).await.is_ok());
    b.handle.send_request(9, a.peer(), Bytes::from_static(b"?")).await.unwrap();
    a.request().await;
}
