//! What contracts choose from.

use super::code_list;

code_list! {
    /// What a technology contract is, by the Civil Code of China, articles 843 to 887.
    ///
    /// Licensing is a type of its own since 2021; statistics before count it as transfer.
    "contract type" ContractType {
        Development = "development", "技术开发", "technology development";
        Transfer = "transfer", "技术转让", "technology transfer";
        License = "license", "技术许可", "technology licensing";
        Consulting = "consulting", "技术咨询", "technology consulting";
        Service = "service", "技术服务", "technical service";
    }
}

code_list! {
    /// A contract type's kinds, by the Civil Code, articles 851, 863, 878 and 887.
    "contract subtype" ContractSubtype {
        Commissioned = "development.commissioned", "委托开发", "commissioned development";
        Cooperative = "development.cooperative", "合作开发", "cooperative development";
        PatentTransfer = "transfer.patent", "专利权转让", "assignment of a patent";
        ApplicationTransfer = "transfer.patent_application", "专利申请权转让",
            "assignment of the right to apply for a patent";
        KnowHowTransfer = "transfer.know_how", "技术秘密转让", "assignment of a technical secret";
        SoftwareTransfer = "transfer.software", "计算机软件著作权转让",
            "assignment of software copyright";
        OtherTransfer = "transfer.other", "其他技术转让", "other technology transfer";
        PatentLicense = "license.patent", "专利实施许可", "patent licence";
        KnowHowLicense = "license.know_how", "技术秘密使用许可", "licence of a technical secret";
        OtherLicense = "license.other", "其他技术许可", "other technology licence";
        GeneralService = "service.general", "一般技术服务", "general technical service";
        Training = "service.training", "技术培训", "technical training";
        Intermediary = "service.intermediary", "技术中介", "technology brokerage";
    }
}

impl ContractSubtype {
    /// The type that it is a kind of.
    pub const fn contract_type(self) -> ContractType {
        match self {
            Self::Commissioned | Self::Cooperative => ContractType::Development,
            Self::PatentTransfer
            | Self::ApplicationTransfer
            | Self::KnowHowTransfer
            | Self::SoftwareTransfer
            | Self::OtherTransfer => ContractType::Transfer,
            Self::PatentLicense | Self::KnowHowLicense | Self::OtherLicense => {
                ContractType::License
            }
            Self::GeneralService | Self::Training | Self::Intermediary => ContractType::Service,
        }
    }
}

code_list! {
    /// What happens to a registered contract.
    "contract event" ContractEventKind {
        Registered = "registered", "登记", "registered";
        Amended = "amended", "变更", "amended";
        Cancelled = "cancelled", "注销", "cancelled by the parties";
        Revoked = "revoked", "撤销", "revoked by the office";
    }
}

impl ContractEventKind {
    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Cancelled | Self::Revoked)
    }
}

code_list! {
    /// Which government programme a contract comes from.
    "plan source" PlanSource {
        National = "national", "国家科技计划", "national programme";
        Ministry = "ministry", "部门计划", "ministerial programme";
        Provincial = "provincial", "省、自治区、直辖市及计划单列市计划", "provincial programme";
        Local = "local", "地市县计划", "prefecture or county programme";
        OffPlan = "off_plan", "计划外", "outside any programme";
    }
}

code_list! {
    /// How the price is paid, by the Civil Code, article 846.
    "payment method" PaymentMethod {
        LumpSum = "lump_sum", "一次总付", "paid at once";
        Instalments = "instalments", "分期支付", "paid in instalments";
        Royalty = "royalty", "提成支付", "royalty";
        RoyaltyWithEntryFee = "royalty_with_entry_fee", "提成附加预付入门费",
            "royalty with an entry fee";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subtype_bears_the_name_of_its_type() {
        for subtype in ContractSubtype::ALL {
            let head = subtype.as_str().split('.').next();
            assert_eq!(head, Some(subtype.contract_type().as_str()), "{subtype}");
        }
    }
}
