//! DMI: what the firmware says about the machine, readable by anyone and without a packet.

use super::Root;

/// Marks every Azure guest; other Hyper-V guests have the same vendor and product.
const AZURE_ASSET_TAG: &str = "7783-7084-3265-9085-8269-3286-77";

/// What builders leave in the product name when they do not care.
const PLACEHOLDERS: [&str; 7] = [
    "default string",
    "none",
    "not applicable",
    "not specified",
    "product name",
    "system product name",
    "to be filled by o.e.m.",
];

/// A cloud with a metadata service that tells the instance type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cloud {
    Ec2,
    Gce,
    Azure,
}

/// The fields of `/sys/class/dmi/id` that identify a machine; absent ones are empty.
pub(super) struct Dmi {
    vendors: [String; 3],
    bios_version: String,
    product: String,
    asset_tag: String,
}

impl Dmi {
    pub(super) fn read(root: &Root) -> Self {
        let field = |name: &str| root.text(format!("/sys/class/dmi/id/{name}")).unwrap_or_default();
        Self {
            vendors: [field("sys_vendor"), field("bios_vendor"), field("board_vendor")],
            bios_version: field("bios_version"),
            product: field("product_name"),
            asset_tag: field("chassis_asset_tag"),
        }
    }

    /// The cloud this machine is a guest of.
    pub(super) fn cloud(&self) -> Option<Cloud> {
        let made_by = |name: &str| self.vendors.iter().any(|vendor| vendor == name);
        // Instances on Xen name Amazon in the BIOS version alone.
        if made_by("Amazon EC2") || self.bios_version.ends_with(".amazon") {
            Some(Cloud::Ec2)
        // A Chromebook is made by Google too.
        } else if made_by("Google") && self.product.starts_with("Google") {
            Some(Cloud::Gce)
        } else if made_by("Microsoft Corporation") && self.asset_tag == AZURE_ASSET_TAG {
            Some(Cloud::Azure)
        } else {
            None
        }
    }

    /// The product name where it tells machines apart: the instance type on EC2 Nitro, the model
    /// of a machine that is no cloud's. Compute Engine and Azure name every guest alike.
    pub(super) fn instance_type(&self) -> Option<String> {
        let telling = match self.cloud() {
            Some(Cloud::Ec2) => is_ec2_type(&self.product),
            Some(Cloud::Gce | Cloud::Azure) => false,
            None => !PLACEHOLDERS.contains(&self.product.to_lowercase().as_str()),
        };
        (telling && !self.product.is_empty()).then(|| self.product.clone())
    }
}

/// `family.size`, like `m7i.large` or `c6i.metal`.
fn is_ec2_type(product: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    product.split_once('.').is_some_and(|(family, size)| is_word(family) && is_word(size))
}

#[cfg(test)]
mod tests {
    use super::super::super::root::fixture::machine;
    use super::*;

    fn read(fields: &[(&str, &str)]) -> Dmi {
        let paths: Vec<_> = fields
            .iter()
            .map(|(name, text)| (format!("/sys/class/dmi/id/{name}"), *text))
            .collect();
        let files: Vec<_> = paths.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let (_guard, root) = machine(&files);
        Dmi::read(&root)
    }

    #[test]
    fn ec2_nitro_tells_its_type() {
        let dmi = read(&[("sys_vendor", "Amazon EC2\n"), ("product_name", "m7i.large\n")]);
        assert_eq!(dmi.cloud(), Some(Cloud::Ec2));
        assert_eq!(dmi.instance_type().as_deref(), Some("m7i.large"));
    }

    #[test]
    fn ec2_on_xen_is_recognised_but_does_not_tell_its_type() {
        let dmi = read(&[
            ("sys_vendor", "Xen\n"),
            ("bios_version", "4.11.amazon\n"),
            ("product_name", "HVM domU\n"),
        ]);
        assert_eq!(dmi.cloud(), Some(Cloud::Ec2));
        assert_eq!(dmi.instance_type(), None);
    }

    #[test]
    fn compute_engine_is_recognised_and_a_chromebook_is_not() {
        let engine = read(&[("bios_vendor", "Google"), ("product_name", "Google Compute Engine")]);
        assert_eq!(engine.cloud(), Some(Cloud::Gce));
        assert_eq!(engine.instance_type(), None);
        let chromebook = read(&[("sys_vendor", "Google"), ("product_name", "Eve")]);
        assert_eq!(chromebook.cloud(), None);
        assert_eq!(chromebook.instance_type().as_deref(), Some("Eve"));
    }

    #[test]
    fn azure_is_recognised_and_another_hyper_v_guest_is_not() {
        let guest = [("sys_vendor", "Microsoft Corporation"), ("product_name", "Virtual Machine")];
        let azure = read(&[guest[0], guest[1], ("chassis_asset_tag", AZURE_ASSET_TAG)]);
        assert_eq!(azure.cloud(), Some(Cloud::Azure));
        assert_eq!(azure.instance_type(), None);
        assert_eq!(read(&guest).cloud(), None);
    }

    #[test]
    fn placeholders_are_no_names() {
        for product in ["To Be Filled By O.E.M.", "System Product Name", "Default string", ""] {
            assert_eq!(read(&[("product_name", product)]).instance_type(), None, "{product}");
        }
    }
}
