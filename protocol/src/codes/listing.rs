//! What listings choose from.

use super::code_list;

code_list! {
    /// What is offered or sought.
    "listing kind" ListingKind {
        Achievement = "achievement", "成果", "achievement";
        Demand = "demand", "需求", "demand";
        Fund = "fund", "资金", "fund";
        Talent = "talent", "人才", "talent";
        Service = "service", "服务", "service";
        Policy = "policy", "政策", "policy";
        Challenge = "challenge", "揭榜挂帅", "open challenge";
    }
}

code_list! {
    /// What happened to a listing.
    "listing status" ListingStatusKind {
        Audited = "audited", "审核通过", "audited";
        Listed = "listed", "挂牌", "listed";
        Withdrawn = "withdrawn", "撤牌", "withdrawn";
        Traded = "traded", "成交", "traded";
        Disclosed = "disclosed", "公示", "deal disclosed";
        Objected = "objected", "异议", "objected to";
    }
}

code_list! {
    /// The technology field, in the order of China's technology contract statistics.
    "technology field" TechField {
        ElectronicInformation = "electronic_information", "电子信息", "electronic information";
        Aerospace = "aerospace", "航空航天", "aviation and aerospace";
        AdvancedManufacturing = "advanced_manufacturing", "先进制造", "advanced manufacturing";
        BiologyMedicine = "biology_medicine", "生物、医药和医疗器械",
            "biology, medicine and medical devices";
        NewMaterials = "new_materials", "新材料及其应用", "new materials and their application";
        NewEnergy = "new_energy", "新能源与高效节能", "new energy and energy efficiency";
        Environment = "environment", "环境保护与资源综合利用",
            "environmental protection and use of resources";
        Nuclear = "nuclear", "核应用", "nuclear application";
        Agriculture = "agriculture", "农业", "agriculture";
        ModernTransport = "modern_transport", "现代交通", "modern transport";
        UrbanSocial = "urban_social", "城市建设与社会发展",
            "urban construction and social development";
    }
}

impl TechField {
    /// Its place in the statistics' order, from 1. Not an official code.
    pub const fn ordinal(self) -> u8 {
        self as u8 + 1
    }
}

code_list! {
    /// The kind of intellectual property involved.
    "kind of intellectual property" IpType {
        KnowHow = "know_how", "技术秘密", "technical secret";
        Invention = "patent.invention", "发明专利", "invention patent";
        UtilityModel = "patent.utility_model", "实用新型专利", "utility model patent";
        Design = "patent.design", "外观设计专利", "design patent";
        Software = "software", "计算机软件著作权", "software copyright";
        PlantVariety = "plant_variety", "植物新品种权", "plant variety right";
        IcLayout = "ic_layout", "集成电路布图设计专有权", "integrated circuit layout right";
        BioPharmaVariety = "bio_pharma_variety", "生物、医药新品种权",
            "biological or pharmaceutical variety right";
        DesignCopyright = "design_copyright", "设计著作权", "design copyright";
        None = "none", "未涉及知识产权", "none involved";
    }
}

impl IpType {
    /// Whether its numbers are patent numbers.
    pub const fn is_patent(self) -> bool {
        matches!(self, Self::Invention | Self::UtilityModel | Self::Design)
    }
}

code_list! {
    /// How the technology may change hands, by China's Law on Promoting the Transformation of
    /// Scientific and Technological Achievements, article 16, and the Patent Law, article 50.
    "transfer mode" TransferMode {
        SelfImplement = "self_implement", "自行投资实施转化", "implemented by the holder";
        Assign = "assign", "转让", "assignment";
        License = "license", "许可", "licence";
        Cooperate = "cooperate", "合作共同实施", "joint implementation";
        Equity = "equity", "作价投资", "contribution as equity";
        Other = "other", "其他协商确定的方式", "other, as agreed";
        OpenLicense = "open_license", "专利开放许可", "open patent licence";
    }
}

code_list! {
    /// How the price is found, by the same law, article 18.
    "pricing mode" PricingMode {
        Negotiated = "negotiated", "协议定价", "by negotiation";
        Listed = "listed", "挂牌交易", "by listing";
        Auction = "auction", "拍卖", "by auction";
        OpenLicenseFee = "open_license_fee", "开放许可使用费", "open licence fee";
    }
}

code_list! {
    /// The scale by which maturity is measured. A level means nothing without it: the scales give
    /// some of their levels the same name at different places.
    "maturity scheme" MaturityScheme {
        Gbt22900 = "gbt22900", "技术就绪度(GB/T 22900)", "GB/T 22900 readiness level";
        Qingdao13 = "qingdao13", "青岛市十三级成熟度", "Qingdao's 13 levels";
        Trl = "trl", "技术就绪水平(TRL)", "technology readiness level";
    }
}

impl MaturityScheme {
    /// The highest level; the lowest is 1.
    pub const fn level_max(self) -> u8 {
        match self {
            Self::Gbt22900 | Self::Trl => 9,
            Self::Qingdao13 => 13,
        }
    }

    /// The level's name in Chinese; `None` where there is no such level or no name for it.
    pub fn level_zh(self, level: u8) -> Option<&'static str> {
        const GBT22900: [&str; 9] = [
            "报告级",
            "方案级",
            "功能级",
            "仿真级",
            "初样级",
            "正样级",
            "环境级",
            "产品级",
            "系统级",
        ];
        const BEYOND_9: [&str; 4] = ["销售级", "盈亏级", "利润级", "回报级"];
        let level = usize::from(level);
        match (self, level) {
            // Levels 3 and 4 stand the other way round here.
            (Self::Qingdao13, 3) => Some(GBT22900[3]),
            (Self::Qingdao13, 4) => Some(GBT22900[2]),
            (Self::Gbt22900 | Self::Qingdao13, 1..=9) => Some(GBT22900[level - 1]),
            (Self::Qingdao13, 10..=13) => Some(BEYOND_9[level - 10]),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_stand_in_the_order_of_the_statistics() {
        assert_eq!(TechField::ALL.len(), 11);
        for (ordinal, field) in (1..).zip(TechField::ALL) {
            assert_eq!(field.ordinal(), ordinal);
        }
    }

    #[test]
    fn every_level_of_a_chinese_scheme_has_its_name() {
        for scheme in [MaturityScheme::Gbt22900, MaturityScheme::Qingdao13] {
            assert_eq!(scheme.level_zh(0), None);
            assert!((1..=scheme.level_max()).all(|level| scheme.level_zh(level).is_some()));
            assert_eq!(scheme.level_zh(scheme.level_max() + 1), None);
        }
        assert_eq!(MaturityScheme::Gbt22900.level_zh(3), MaturityScheme::Qingdao13.level_zh(4));
        assert_eq!(MaturityScheme::Trl.level_zh(3), None);
    }
}
