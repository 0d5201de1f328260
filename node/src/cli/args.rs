//! The command line's grammar. Every help line is in English and Chinese.

mod authority;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use authority::{
    CharterCommand, CharterNewArgs, CharterSignArgs, DecisionArgs, DecisionHow, FederationCommand,
    FederationNewArgs, HowArgs, InviteArgs, JoinArgs, MemberCommand, ReinstateArgs, RekeyArgs,
    RequestArgs,
};

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "hutong",
    version,
    about = "A node of the Hutong network of technology exchanges · 互通技术交易网络节点",
    after_help = EXIT_CODES,
    propagate_version = true,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Documented once, shown by `--help`, kept by [`crate::cli::exit`].
pub const EXIT_CODES: &str = "Exit codes · 退出码:
  0  done · 完成
  1  failed or refused, or the verdict was not accepted · 操作失败、被拒绝或核验结论未被接受
  2  wrong usage · 用法错误
  3  the node cannot be reached · 无法连接节点
  4  data are damaged · 数据损坏
  5  configuration, charter or keys cannot be used · 配置、章程或密钥不可用
  6  the node cannot do this now: try again · 节点暂不能受理，请稍后重试";

/// Options that every command takes.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "For every command · 通用选项")]
pub struct Global {
    /// Data folder · 数据目录
    #[arg(
        long,
        global = true,
        env = "HUTONG_DATA",
        value_name = "DIR",
        default_value = "hutong-data"
    )]
    pub data: PathBuf,
    /// Configuration file; `hutong.toml` in the data folder unless given · 配置文件
    #[arg(long, global = true, env = "HUTONG_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON · 输出 JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Language of the output; from LANG unless given · 输出语言
    #[arg(long, global = true, env = "HUTONG_LANG", value_name = "LANG")]
    pub lang: Option<LangArg>,
    /// More detail in the log; twice for all · 更详细的日志
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// `--lang`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LangArg {
    /// 中文
    Zh,
    /// English
    En,
}

/// `log export --audience`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AudienceArg {
    /// 公开
    Public,
    /// 境内
    Domestic,
    /// 全部
    All,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set up this exchange: seed, configuration, data folder · 初始化本交易所节点
    Init(InitArgs),
    /// Run the node · 运行节点
    Run(RunArgs),
    /// A federation of real nodes on this machine, from founding to receipt · 本机演示联盟
    Demo(DemoArgs),
    /// What the node is doing, what needs you first · 查看节点状态
    Status {
        /// First wait, at most so long, until this exchange is an active member that may publish · 等待可发布
        #[arg(long, value_name = "SECONDS")]
        wait: Option<u64>,
    },
    /// Connected peers · 查看已连接的对等节点
    Peers,
    /// The federation's founding rules · 联盟章程
    #[command(subcommand)]
    Charter(CharterCommand),
    /// Found a federation · 创立联盟
    #[command(subcommand)]
    Federation(FederationCommand),
    /// Members of the federation · 联盟成员
    #[command(subcommand)]
    Member(MemberCommand),
    /// Listings: achievements, demands and more · 成果、需求等挂牌信息
    #[command(subcommand)]
    Listing(ListingCommand),
    /// Technology contracts · 技术合同
    #[command(subcommand)]
    Contract(ContractCommand),
    /// Signed receipts that anyone checks offline · 可离线核验的凭证
    #[command(subcommand)]
    Receipt(ReceiptCommand),
    /// Logs of this and other exchanges · 各交易所日志
    #[command(subcommand)]
    Log(LogCommand),
    /// Check every stored byte of a stopped node · 检查已停止节点的全部数据
    Fsck,
    /// Rebuild what is derived from the logs of a stopped node · 由日志重建派生数据
    Rebuild,
    /// The exchange's seed: show keys, back up, restore · 密钥：查看、备份、恢复
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The configuration · 配置
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print shell completions · 生成命令补全脚本
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Write manual pages into a folder · 生成手册页
    Man {
        /// The folder.
        dir: PathBuf,
    },
}

/// How a passphrase is given.
#[derive(Args, Clone, Debug, Default)]
pub struct PassphraseArgs {
    /// File whose first line is the passphrase; `HUTONG_PASSPHRASE` otherwise · 口令文件
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `hutong init`.
#[derive(Args, Clone, Debug)]
pub struct InitArgs {
    /// Exchange id: the region in lower case and a name, such as cn-33-zhejiang · 交易所代码
    #[arg(long)]
    pub id: Option<String>,
    /// Chinese name · 中文名称
    #[arg(long, value_name = "NAME")]
    pub name_zh: Option<String>,
    /// English name · 英文名称
    #[arg(long, value_name = "NAME")]
    pub name_en: Option<String>,
    /// national, provincial, municipal, county, industry or international · 层级
    #[arg(long)]
    pub tier: Option<String>,
    /// Region code, such as CN-33 or KZ · 区域代码
    #[arg(long)]
    pub region: Option<String>,
    /// Website · 网站
    #[arg(long, value_name = "URL")]
    pub website: Option<String>,
    /// Multiaddr to listen on; may be repeated · 监听地址
    #[arg(long, value_name = "MULTIADDR")]
    pub listen: Vec<String>,
    /// Address and port of the HTTP interface; 127.0.0.1:7410 unless given · 接口地址
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub api_listen: Option<std::net::SocketAddr>,
    /// Multiaddr by which others reach this node; may be repeated · 对外地址
    #[arg(long, value_name = "MULTIADDR")]
    pub address: Vec<String>,
    /// Multiaddr to dial at the start; may be repeated · 引导节点地址
    #[arg(long, value_name = "MULTIADDR")]
    pub bootstrap: Vec<String>,
    /// The passphrase.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
    /// Keep the seed without a passphrase; anyone who reads the disk is then this exchange · 不加密保存种子
    #[arg(long, conflicts_with = "passphrase_file")]
    pub unencrypted_seed: bool,
    /// Charter file to install; may be repeated, oldest first · 章程文件
    #[arg(long, value_name = "FILE")]
    pub charter: Vec<PathBuf>,
}

/// `hutong run`.
#[derive(Args, Clone, Debug, Default)]
pub struct RunArgs {
    /// The passphrase.
    #[command(flatten)]
    pub passphrase: PassphraseArgs,
    /// Override a setting: KEY=VALUE, such as api.listen=127.0.0.1:0; may be repeated · 覆盖一项配置
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = parse_setting)]
    pub settings: Vec<(String, String)>,
    /// After a restore, when the council cannot show your log: the SIZE entries here are all that
    /// was ever signed; sign without waiting. If that is wrong, your log ends for good · 恢复后无人出示副本时，确认本所日志共 SIZE 条
    #[arg(long, value_name = "SIZE")]
    pub own_log_complete: Option<u64>,
    /// Besides: this exchange has cosigned nothing of other logs that could be forgotten; ends the wait at
    /// once · 另确认本所未见证过其他日志
    #[arg(long, requires = "own_log_complete")]
    pub nothing_cosigned: bool,
}

/// `hutong demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoArgs {
    /// Run the story once and end · 演示一遍后退出
    #[arg(long)]
    pub once: bool,
    /// How many nodes, 3 to 50 · 节点数
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(3..=50))]
    pub nodes: u16,
    /// Keep the data folders · 保留数据目录
    #[arg(long)]
    pub keep: bool,
    /// Where the data folders go; a temporary folder unless given · 数据目录位置
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// `hutong listing …`.
#[derive(Debug, Subcommand)]
pub enum ListingCommand {
    /// Publish new listings from a JSON or TOML file · 发布挂牌信息
    Publish {
        /// File, or - for standard input.
        file: PathBuf,
        /// public, domestic or members:ID,ID · 可见范围
        #[arg(long, default_value = "public")]
        audience: String,
    },
    /// Publish the next revision of a listing · 修订挂牌信息
    Revise {
        /// File with the whole new content.
        file: PathBuf,
        /// public, domestic or members:ID,ID · 可见范围
        #[arg(long, default_value = "public")]
        audience: String,
    },
    /// Withdraw a listing · 撤回挂牌信息
    Withdraw {
        /// Listing id.
        id: String,
        /// Why · 原因
        #[arg(long)]
        reason: Option<String>,
    },
    /// Record another change of state · 变更挂牌状态
    Mark {
        /// Listing id.
        id: String,
        /// audited, listed, traded, disclosed or objected · 状态
        status: String,
        /// Why · 原因
        #[arg(long)]
        reason: Option<String>,
        /// Deal reference, such as a registration number · 成交编号
        #[arg(long)]
        deal: Option<String>,
    },
    /// Search all listings · 检索挂牌信息
    List(ListingListArgs),
    /// One listing with its history · 查看挂牌信息
    Show {
        /// Exchange id.
        exchange: String,
        /// Listing id.
        id: String,
    },
    /// Import from a spreadsheet, CSV or JSON file · 导入挂牌信息
    Import(ImportArgs),
}

/// `hutong listing list`.
#[derive(Args, Clone, Debug, Default)]
pub struct ListingListArgs {
    /// Text in a title, or the whole listing id · 标题中的文字
    #[arg(long, short)]
    pub query: Option<String>,
    /// achievement, demand, fund, talent, service, policy or challenge · 类别
    #[arg(long)]
    pub kind: Option<String>,
    /// Region, with all that it contains · 区域
    #[arg(long)]
    pub region: Option<String>,
    /// Exchange id · 交易所
    #[arg(long)]
    pub exchange: Option<String>,
    /// listed, audited, withdrawn, traded, … · 状态
    #[arg(long)]
    pub status: Option<String>,
    /// The page.
    #[command(flatten)]
    pub page: PageArgs,
}

/// Which page of a list.
#[derive(Args, Clone, Debug, Default)]
pub struct PageArgs {
    /// Items on the page, 1 to 500 · 每页条数
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub limit: u16,
    /// Continue where the page before ended · 接上一页
    #[arg(long, value_name = "MARK")]
    pub after: Option<String>,
}

/// `… import`.
#[derive(Args, Clone, Debug)]
pub struct ImportArgs {
    /// XLSX, CSV, JSON or JSON Lines.
    pub file: PathBuf,
    /// How its columns become fields · 字段映射文件
    #[arg(long, value_name = "FILE")]
    pub mapping: PathBuf,
    /// Check everything, publish nothing · 只检查不发布
    #[arg(long)]
    pub dry_run: bool,
    /// Where refused rows go, with the reason · 错误行输出文件
    #[arg(long, value_name = "FILE")]
    pub errors: Option<PathBuf>,
}

/// `hutong contract …`.
#[derive(Debug, Subcommand)]
pub enum ContractCommand {
    /// Register a contract, or record its amendment, cancellation or revocation, from a JSON or TOML file ·
    /// 登记合同，或记录变更、注销、撤销
    Register {
        /// Clear fields at the top, confidential ones under `confidential`.
        file: PathBuf,
        /// public, domestic or members:ID,ID · 可见范围
        #[arg(long, default_value = "public")]
        audience: String,
    },
    /// One contract with its events · 查看合同
    Show {
        /// Registration number.
        registration: String,
    },
    /// Contracts · 合同列表
    List(ContractListArgs),
    /// Import from a spreadsheet, CSV or JSON file · 导入合同
    Import(ImportArgs),
}

/// `hutong contract list`.
#[derive(Args, Clone, Debug, Default)]
pub struct ContractListArgs {
    /// Contract type · 合同类别
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Exchange id · 交易所
    #[arg(long)]
    pub exchange: Option<String>,
    /// registered, amended, cancelled or revoked · 状态
    #[arg(long)]
    pub status: Option<String>,
    /// The page.
    #[command(flatten)]
    pub page: PageArgs,
}

/// `hutong receipt …`.
#[derive(Debug, Subcommand)]
pub enum ReceiptCommand {
    /// Issue a receipt for a contract or a statement · 出具凭证
    Issue(ReceiptIssueArgs),
    /// Make a receipt again with the register's newest anchor · 用最新锚定更新凭证
    Refresh(ReceiptRefreshArgs),
    /// Verify a receipt: no node, no data folder, no network · 离线核验凭证
    Verify(ReceiptVerifyArgs),
    /// What a receipt says, for a reader; checks nothing against the federation · 查看凭证内容（不核验）
    Show {
        /// Receipt file.
        file: PathBuf,
    },
    /// Write the authority bundle: all charters and members with proofs, for verifiers · 导出核验资料包
    Bundle {
        /// The result · 输出文件
        #[arg(
            long,
            short,
            value_name = "FILE",
            default_value = "federation.hutong-authority.json"
        )]
        output: PathBuf,
    },
}

/// `hutong receipt issue`.
#[derive(Args, Clone, Debug)]
pub struct ReceiptIssueArgs {
    /// Registration number of a contract · 合同登记编号
    #[arg(required_unless_present = "statement", conflicts_with = "statement")]
    pub registration: Option<String>,
    /// Statement id, 64 digits · 声明标识
    #[arg(long, value_name = "ID")]
    pub statement: Option<String>,
    /// Confidential fields to show, separated by commas · 披露的保密字段
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub disclose: Vec<String>,
    /// The result; `REGISTRATION.hutong-receipt.json` unless given · 输出文件
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the compact form, at most 2,900 bytes, for one QR code · 精简凭证
    #[arg(long)]
    pub compact: bool,
    /// Also write the compact form's QR code as an SVG image · 另存二维码图片
    #[arg(long, value_name = "FILE", requires = "compact")]
    pub qr: Option<PathBuf>,
    /// Ask for an anchor and wait for it at most so long, instead of a provisional receipt · 请求锚定并等待
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
}

/// `hutong receipt refresh`.
#[derive(Args, Clone, Debug)]
pub struct ReceiptRefreshArgs {
    /// Receipt file.
    pub file: PathBuf,
    /// The result; the same file unless given · 输出文件
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Ask for an anchor and wait for it at most so long, where none covers the receipt yet · 请求锚定并等待
    #[arg(long, value_name = "SECONDS")]
    pub wait: Option<u64>,
}

/// `hutong receipt verify`.
#[derive(Args, Clone, Debug)]
#[command(group = clap::ArgGroup::new("anchor").required(true).args(["federation", "charter"]))]
pub struct ReceiptVerifyArgs {
    /// Receipt file · 凭证文件
    #[arg(required_unless_present = "batch", conflicts_with = "batch")]
    pub file: Option<PathBuf>,
    /// Verify every file of a folder, on all cores · 核验文件夹内的全部凭证
    #[arg(long, value_name = "FOLDER")]
    pub batch: Option<PathBuf>,
    /// Federation id, 64 digits · 联盟标识
    #[arg(long, value_name = "ID")]
    pub federation: Option<String>,
    /// Founding charter file · 创始章程文件
    #[arg(long, value_name = "FILE")]
    pub charter: Option<PathBuf>,
    /// Authority bundle: for compact receipts, and for suspensions later than the receipt · 核验资料包
    #[arg(long, value_name = "FILE")]
    pub authority: Option<PathBuf>,
    /// Verdicts accepted beside `valid` · 另外接受的结论
    #[arg(long, value_delimiter = ',', value_name = "VERDICT,…")]
    pub allow: Vec<AllowedVerdict>,
}

/// Verdicts that `--allow` can add.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum AllowedVerdict {
    /// Amended since.
    ValidSuperseded,
    /// Cancelled since.
    ValidThenCancelled,
    /// Not covered by an anchor of the register yet.
    Provisional,
}

/// `hutong log …`.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// All logs, or one with its newest checkpoint, or one entry · 查看日志
    Show {
        /// Exchange id.
        exchange: Option<String>,
        /// Entry at this place, from 0.
        #[arg(requires = "exchange")]
        index: Option<u64>,
    },
    /// Check a log against its checkpoint, from the data of a stopped node · 核验日志
    Verify {
        /// Exchange id; all unless given.
        exchange: Option<String>,
    },
    /// Write a log as a static site (C2SP tiles) or as DSSE envelopes · 导出日志
    Export {
        /// Exchange id.
        exchange: String,
        /// Folder, or file with --dsse.
        output: PathBuf,
        /// One DSSE envelope a line.
        #[arg(long)]
        dsse: bool,
        /// Whose statements: public, domestic (besides, those for the issuer's country) or all · 导出范围
        #[arg(long, value_enum, default_value_t = AudienceArg::Public)]
        audience: AudienceArg,
        /// Confirm that entries which are not for everybody are exported, to the audience named · 确认导出受限条目
        #[arg(long)]
        include_restricted: bool,
    },
    /// Write where this exchange's log is, for the decision that reinstates it · 导出本所日志现状，供恢复成员资格
    Standing {
        /// The size that stands by the suspension, as the directory has it unless given · 暂停时有效的大小
        #[arg(long, value_name = "SIZE")]
        from: Option<u64>,
        /// The result · 输出文件
        #[arg(long, short, value_name = "FILE", default_value = "standing.json")]
        output: PathBuf,
    },
    /// Drop a damaged log of a stopped node, to be fetched again from peers · 丢弃损坏的日志
    ///
    /// What this node cosigned of it, evidence and a freeze stay. Where it is the own log, nothing is
    /// signed before enough of the council has shown its copies, as after restored keys.
    Drop {
        /// Exchange id.
        exchange: String,
    },
}

/// `hutong keys …`.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Public keys · 查看公钥
    Show {
        /// The passphrase.
        #[command(flatten)]
        passphrase: PassphraseArgs,
    },
    /// Print the seed's backup: 24 words and a QR code · 备份种子
    Backup {
        /// The passphrase.
        #[command(flatten)]
        passphrase: PassphraseArgs,
        /// Chinese words · 使用中文助记词
        #[arg(long)]
        chinese: bool,
        /// Also write the QR code as an SVG image · 另存二维码图片
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// Restore the seed from a backup; never overwrites one · 恢复种子
    Restore {
        /// File with the words or the line; asks or reads standard input unless given · 备份文件
        #[arg(long, value_name = "FILE")]
        from: Option<PathBuf>,
        /// The passphrase.
        #[command(flatten)]
        passphrase: PassphraseArgs,
        /// Keep the seed without a passphrase · 不加密保存种子
        #[arg(long, conflicts_with = "passphrase_file")]
        unencrypted_seed: bool,
    },
}

/// `hutong config …`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check file and environment, and print what holds · 检查配置
    Check {
        /// Print every key that exists with its default instead · 列出全部配置项
        #[arg(long)]
        keys: bool,
    },
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("expected KEY=VALUE, met `{text}`"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parses(line: &str) -> bool {
        Cli::try_parse_from(line.split_whitespace()).is_ok()
    }

    #[test]
    fn the_grammar_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_receipt_is_verified_against_one_anchor() {
        assert!(parses("hutong receipt verify r.json --federation 5f"));
        assert!(parses("hutong receipt verify r.json --charter c.json --allow valid_superseded"));
        assert!(!parses("hutong receipt verify r.json"));
        assert!(!parses("hutong receipt verify r.json --federation 5f --charter c.json"));
        assert!(!parses("hutong receipt verify r.json --federation 5f --allow void"));
    }

    #[test]
    fn a_receipt_is_issued_for_one_thing() {
        assert!(parses("hutong receipt issue 2026330100000001 --disclose total_amount,seller"));
        assert!(parses("hutong receipt issue --statement 5f"));
        assert!(!parses("hutong receipt issue"));
        assert!(!parses("hutong receipt issue 2026330100000001 --statement 5f"));
    }

    #[test]
    fn a_passphrase_and_none_exclude_each_other() {
        assert!(parses("hutong init --unencrypted-seed"));
        assert!(!parses("hutong init --unencrypted-seed --passphrase-file p"));
    }

    #[test]
    fn a_request_says_under_whom() {
        assert!(parses("hutong member request --parent cn-33-zhejiang"));
        assert!(parses("hutong member request --parent council --charter c.json"));
        assert!(parses("hutong member request --founding"));
        assert!(!parses("hutong member request"));
        assert!(!parses("hutong member request --founding --parent council"));
        assert!(!parses("hutong member request --founding --charter c.json"));
    }

    #[test]
    fn a_setting_is_a_pair() {
        assert!(parses("hutong run --set api.listen=127.0.0.1:0"));
        assert!(!parses("hutong run --set api.listen"));
    }

    #[test]
    fn a_successor_names_its_predecessor_first() {
        let base = "hutong charter new --name x --council a.json";
        assert!(parses(base));
        assert!(parses(&format!("{base} --previous p.json --until 2026-12-30 --log-honoured a=3")));
        assert!(!parses(&format!("{base} --until 2026-12-30")));
        assert!(!parses(&format!("{base} --previous p.json --log-honoured a")));
    }
}
