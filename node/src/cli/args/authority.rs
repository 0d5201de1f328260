//! The grammar of commands about the federation: charter, founding, members.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{InitArgs, PassphraseArgs};

/// `hutong charter …`.
#[derive(Debug, Subcommand)]
pub enum CharterCommand {
    /// Draw up a charter from council members' descriptors · 起草章程
    New(CharterNewArgs),
    /// What a charter says and whether it holds · 查看章程
    Show {
        /// Charter file; the installed chain unless given · 章程文件
        file: Option<PathBuf>,
    },
    /// Add this exchange's signature · 签署章程
    Sign(CharterSignArgs),
    /// Merge the signatures of several copies into one file · 合并各方签名
    Merge {
        /// Copies of one charter, each with some signatures.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The result.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
    /// Install the founding charter on a new node, or give a later one to the running node · 安装或提交已签署的章程
    Publish {
        /// Charter file.
        file: PathBuf,
    },
}

/// `hutong charter new`.
#[derive(Args, Clone, Debug)]
pub struct CharterNewArgs {
    /// The federation's name · 联盟名称
    #[arg(long)]
    pub name: String,
    /// A council member's descriptor (hutong member request); may be repeated · 理事单位的单位信息文件
    #[arg(long, required = true, value_name = "FILE")]
    pub council: Vec<PathBuf>,
    /// How many council members decide; a majority unless given · 理事会通过家数
    #[arg(long)]
    pub threshold: Option<u32>,
    /// The council member whose node operates the register; this exchange unless given · 名册管理单位，默认为本所
    #[arg(long, value_name = "ID")]
    pub keeper: Option<String>,
    /// The keeper's register key (hutong keys show), where it is another exchange · 名册管理单位的名册密钥
    #[arg(long, value_name = "KEY")]
    pub register_key: Option<String>,
    /// How many council members must cosign a checkpoint: more than half, the default; 0 for a council of one ·
    /// 见证规定家数，须过半
    #[arg(long)]
    pub quorum: Option<u32>,
    /// Minutes between two anchors · 两次锚定间隔分钟数
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    pub anchor_minutes: u32,
    /// Seconds between two anchors at least, where a member asks for one · 应请求锚定的最短间隔秒数
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub anchor_seconds_min: u32,
    /// Days after which what was anchored is final · 锚定内容成为最终所需天数
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub finality_days: u32,
    /// The charter that this one follows · 前一版章程
    #[arg(long, value_name = "FILE")]
    pub previous: Option<PathBuf>,
    /// The last day on which it may take effect (with --previous); in 30 days unless given · 最迟生效日期
    #[arg(long, value_name = "DAY", requires = "previous")]
    pub until: Option<String>,
    /// ID=SIZE for each former council member whose keys change or who leaves · 前版成员日志有效大小
    #[arg(long, value_name = "ID=SIZE", requires = "previous", value_parser = parse_honoured)]
    pub log_honoured: Vec<(String, u64)>,
    /// The result · 输出文件
    #[arg(long, short, value_name = "FILE", default_value = "charter.json")]
    pub output: PathBuf,
    /// The passphrase, for this exchange's register key.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

/// `hutong charter sign`.
#[derive(Args, Clone, Debug)]
pub struct CharterSignArgs {
    /// Charter file; the signature is added to those in it.
    pub file: PathBuf,
    /// Sign without being asked; compare what `charter show` shows before · 不再询问
    #[arg(long)]
    pub yes: bool,
    /// The passphrase.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

/// `hutong federation …`.
#[derive(Debug, Subcommand)]
pub enum FederationCommand {
    /// Set up this exchange and found a federation, alone or with others · 创立联盟
    New(FederationNewArgs),
}

/// `hutong federation new`.
#[derive(Args, Clone, Debug)]
pub struct FederationNewArgs {
    /// The federation's name · 联盟名称
    #[arg(long)]
    pub name: Option<String>,
    /// Another founder's descriptor (hutong member request --founding); may be repeated · 其他创始成员的申请文件
    #[arg(long, value_name = "FILE")]
    pub council: Vec<PathBuf>,
    /// Found it alone, without being asked for others · 单独创立
    #[arg(long, conflicts_with = "council")]
    pub alone: bool,
    /// How many council members decide; a majority unless given · 理事会通过家数
    #[arg(long)]
    pub threshold: Option<u32>,
    /// Minutes between two anchors · 两次锚定间隔分钟数
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    pub anchor_minutes: u32,
    /// Seconds between two anchors at least, where a member asks for one · 应请求锚定的最短间隔秒数
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub anchor_seconds_min: u32,
    /// Days after which what was anchored is final · 锚定内容成为最终所需天数
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub finality_days: u32,
    /// Where the charter goes, if others sign it · 待他人签署的章程文件
    #[arg(long, short, value_name = "FILE", default_value = "charter.json")]
    pub output: PathBuf,
    /// This exchange, where it is not set up yet.
    #[command(flatten)]
    pub init: InitArgs,
}

/// `hutong member …`.
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// Write an invitation for a newcomer: charter, parent, addresses · 生成邀请文件
    Invite(InviteArgs),
    /// Set up this exchange and apply for membership by an invitation · 按邀请文件加入联盟
    Join(JoinArgs),
    /// Write this exchange's signed descriptor, to send to the parent · 生成本所入网申请
    Request(RequestArgs),
    /// Sign the present log key's consent to a new descriptor of this exchange · 旧密钥同意更换
    Consent {
        /// The new descriptor's file.
        file: PathBuf,
        /// The result · 输出文件
        #[arg(long, short, value_name = "FILE", default_value = "consent.json")]
        output: PathBuf,
        /// Sign without being asked · 不再询问
        #[arg(long)]
        yes: bool,
        /// The passphrase.
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Sign the council's approval of an admission (council members) · 理事会成员签署入网批准
    Approve {
        /// Descriptor file.
        file: PathBuf,
        /// Approvals so far, changed in place · 批准文件
        #[arg(long, value_name = "FILE")]
        approvals: PathBuf,
        /// Last day, and whether to ask.
        #[command(flatten)]
        how: HowArgs,
        /// The passphrase.
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Admit the exchange of a descriptor · 批准入网
    Admit {
        /// Descriptor file.
        file: PathBuf,
        /// Approvals of the council, for an admission by it · 批准文件
        #[arg(long, value_name = "FILE")]
        approvals: Option<PathBuf>,
        /// Last day, and whether to ask.
        #[command(flatten)]
        how: HowArgs,
    },
    /// Suspend a member: its entries beyond a size of its log do not count · 暂停成员
    Suspend(DecisionArgs),
    /// Reinstate a suspended member from where its log is on · 恢复成员
    Reinstate(ReinstateArgs),
    /// Expel a member: its entries beyond a size of its log do not count · 除名成员
    Expel(DecisionArgs),
    /// Let a member's log continue under the keys of a new descriptor · 更换成员密钥
    Rekey(RekeyArgs),
    /// All members, and decisions that wait · 成员列表与待生效的决定
    List,
    /// One member · 查看成员
    Show {
        /// Exchange id.
        id: String,
    },
}

/// `hutong member invite`.
#[derive(Args, Clone, Debug)]
pub struct InviteArgs {
    /// The council admits the newcomer, and not this exchange · 由理事会批准
    #[arg(long)]
    pub council: bool,
    /// Multiaddr by which the newcomer reaches a node; exchange.addresses unless given; may be repeated · 节点地址
    #[arg(long, value_name = "MULTIADDR")]
    pub address: Vec<String>,
    /// The result; `invitation.json` unless given · 输出文件
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `hutong member join`.
#[derive(Args, Clone, Debug)]
pub struct JoinArgs {
    /// Invitation file, from the parent · 邀请文件
    pub invitation: PathBuf,
    /// The request to send to the parent; `ID.json` unless given · 申请输出文件
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The charter's digest was compared by telephone; do not ask · 已电话核对，不再询问
    #[arg(long)]
    pub yes: bool,
    /// This exchange, where it is not set up yet.
    #[command(flatten)]
    pub init: InitArgs,
}

/// `hutong member request`.
#[derive(Args, Clone, Debug)]
pub struct RequestArgs {
    /// Who is to admit this exchange: an exchange id, or council · 上级交易所代码，或 council（理事会）
    #[arg(long, value_name = "ID", required_unless_present = "founding")]
    pub parent: Option<String>,
    /// The federation's charter file, where none is installed; may be repeated, oldest first · 联盟章程文件（未安装时）
    #[arg(long, value_name = "FILE")]
    pub charter: Vec<PathBuf>,
    /// For the council of a federation that is being founded · 供创始理事会使用
    #[arg(long, conflicts_with_all = ["parent", "charter"])]
    pub founding: bool,
    /// The result · 输出文件
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// The passphrase.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

/// A decision that ends something for a member.
#[derive(Args, Clone, Debug)]
pub struct DecisionArgs {
    /// Exchange id.
    pub id: String,
    /// Size of the member's log up to which its entries stand; all that is witnessed unless given · 有效的日志大小
    #[arg(long, value_name = "SIZE")]
    pub log_size: Option<u64>,
    /// Why · 原因
    #[arg(long)]
    pub reason: Option<String>,
    /// On whose behalf, and until when.
    #[command(flatten)]
    pub how: DecisionHow,
}

/// `hutong member reinstate`.
#[derive(Args, Clone, Debug)]
pub struct ReinstateArgs {
    /// Exchange id.
    pub id: String,
    /// Where the member's log is: from its `hutong log standing` · 成员日志检查点文件
    #[arg(long, value_name = "FILE")]
    pub checkpoint: PathBuf,
    /// Why · 原因
    #[arg(long)]
    pub reason: Option<String>,
    /// On whose behalf, and until when.
    #[command(flatten)]
    pub how: DecisionHow,
}

/// `hutong member rekey`.
#[derive(Args, Clone, Debug)]
pub struct RekeyArgs {
    /// The new descriptor's file.
    pub file: PathBuf,
    /// Size of the log up to which it stands under the present keys; all that is witnessed unless given · 旧密钥下的日志大小
    #[arg(long, value_name = "SIZE")]
    pub log_size: Option<u64>,
    /// The present log key's consent, from `hutong member consent`; without it, who stands above the parent must
    /// decide the same · 旧密钥的同意文件
    #[arg(long, value_name = "FILE")]
    pub consent: Option<PathBuf>,
    /// Why · 原因
    #[arg(long)]
    pub reason: Option<String>,
    /// On whose behalf, and until when.
    #[command(flatten)]
    pub how: DecisionHow,
}

/// Until when a decision may be recorded, and whether to ask before it is signed.
#[derive(Args, Clone, Debug, Default)]
pub struct HowArgs {
    /// The last day on which the register may record it, at most 30 days ahead · 最迟记入名册的日期
    #[arg(long, value_name = "DAY")]
    pub until: Option<String>,
    /// Sign without being asked; compare the key digest by telephone before · 已电话核对，不再询问
    #[arg(long)]
    pub yes: bool,
}

/// On whose behalf a decision is made.
#[derive(Args, Clone, Debug)]
pub struct DecisionHow {
    /// Last day, and whether to ask.
    #[command(flatten)]
    pub how: HowArgs,
    /// Publish with these approvals of the council · 凭批准文件发布
    #[arg(long, value_name = "FILE")]
    pub approvals: Option<PathBuf>,
    /// Publish nothing; add this council member's approval to the file · 只签署批准
    #[arg(long, value_name = "FILE", conflicts_with = "approvals")]
    pub approve: Option<PathBuf>,
    /// The passphrase, for --approve.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
}

fn parse_honoured(text: &str) -> Result<(String, u64), String> {
    let wrong = || format!("expected ID=SIZE, met `{text}`");
    let (id, size) = text.split_once('=').ok_or_else(wrong)?;
    Ok((id.to_owned(), size.parse().map_err(|_| wrong())?))
}
