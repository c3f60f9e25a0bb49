//! What the CPU of this process can do, as far as choosing implementations goes.
//!
//! Detection happens once, when a plan is made; nothing is asked again per record or handshake.
//! A mask takes features away, so that what another machine would choose can be tested here. It
//! steers *our* choices only: the backends detect the CPU for themselves and never see the mask.

mod aarch64;
mod class;
mod feature;
mod x86_64;

use std::collections::BTreeSet;
use std::env::consts::ARCH;

pub use feature::Feature;

use crate::Error;

/// The environment variable with the mask that [`Cpu::detect`] applies.
const MASK_VARIABLE: &str = "RUSTLS_OFFLOAD_CPU";

/// The CPU this process runs on: the features that matter here, its class and its model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpu {
    features: BTreeSet<Feature>,
    class: String,
    model: String,
}

impl Cpu {
    /// Detects the CPU, then applies the mask in `RUSTLS_OFFLOAD_CPU`, if that is set.
    ///
    /// # Errors
    /// [`Error::MalformedMask`] or [`Error::UnknownName`] if the variable is not a mask as
    /// [`with_mask`](Self::with_mask) takes it.
    pub fn detect() -> Result<Self, Error> {
        match std::env::var_os(MASK_VARIABLE) {
            Some(mask) => Self::unmasked().with_mask(&mask.to_string_lossy()),
            None => Ok(Self::unmasked()),
        }
    }

    /// Takes the features named in `mask` away from this CPU, for example `-vaes,-avx512ifma`.
    ///
    /// Names of other architectures' features are accepted and change nothing, so that one setting
    /// serves a mixed fleet. An empty mask takes nothing away.
    ///
    /// # Errors
    /// [`Error::MalformedMask`] if an entry does not start with `-`; [`Error::UnknownName`], which
    /// lists the known names, if one is not a feature.
    pub fn with_mask(mut self, mask: &str) -> Result<Self, Error> {
        for entry in mask.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let name = entry
                .strip_prefix('-')
                .ok_or_else(|| Error::MalformedMask { entry: entry.to_owned() })?;
            self.features.remove(&name.parse()?);
        }
        self.class = class::of(ARCH, &self.features);
        Ok(self)
    }

    /// Whether the CPU has `feature`, and no mask took it away.
    pub fn has(&self, feature: Feature) -> bool {
        self.features.contains(&feature)
    }

    /// The features the CPU has, in the order of [`Feature::ALL`].
    pub fn features(&self) -> impl Iterator<Item = Feature> + '_ {
        self.features.iter().copied()
    }

    /// The class that committed measurements are filed under, for example
    /// `x86_64-avx512-vaes-ifma-sha`. It follows from the features alone.
    pub fn class(&self) -> &str {
        &self.class
    }

    /// Maker, family, model and stepping in hexadecimal (`GenuineIntel-6-55-7`, as in perf's event
    /// maps), the `MIDR_EL1` value on aarch64 Linux, or `unknown`.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether AES-GCM runs in constant time in hardware here: AES and carry-less multiplication.
    pub(crate) fn has_aes_gcm(&self) -> bool {
        self.has(Feature::Aes) && (self.has(Feature::Pclmulqdq) || self.has(Feature::Pmull))
    }

    fn unmasked() -> Self {
        #[cfg(target_arch = "x86_64")]
        let (features, model) = (x86_64::features(), x86_64::model());
        #[cfg(target_arch = "aarch64")]
        let (features, model) = (aarch64::features(), aarch64::model());
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        let (features, model) = (BTreeSet::new(), "unknown".to_owned());
        Self { class: class::of(ARCH, &features), features, model }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_takes_away_what_it_names_and_nothing_else() {
        let whole = Cpu::unmasked();
        for &feature in Feature::ALL {
            let masked = whole.clone().with_mask(&format!("-{feature}")).unwrap();
            let expected: Vec<_> = whole.features().filter(|&found| found != feature).collect();
            assert_eq!(masked.features().collect::<Vec<_>>(), expected);
            assert!(!masked.has(feature));
        }
    }

    #[test]
    fn an_empty_mask_changes_nothing() {
        for mask in ["", " ", ",", " , "] {
            assert_eq!(Cpu::unmasked().with_mask(mask).unwrap(), Cpu::unmasked());
        }
    }

    #[test]
    fn spaces_around_entries_are_ignored() {
        let masked = Cpu::unmasked().with_mask(" -aes , -sha3 ").unwrap();
        assert!(!masked.has(Feature::Aes) && !masked.has(Feature::Sha3));
    }

    #[test]
    fn an_unknown_feature_is_answered_with_every_known_one() {
        let message = Cpu::unmasked().with_mask("-avx1024").unwrap_err().to_string();
        assert!(message.contains("`avx1024`"), "{message}");
        for feature in Feature::ALL {
            assert!(message.contains(feature.name()), "{message}");
        }
    }

    #[test]
    fn an_entry_without_minus_is_refused() {
        for mask in ["aes", "+aes", "-aes,vaes"] {
            assert!(matches!(
                Cpu::unmasked().with_mask(mask),
                Err(Error::MalformedMask { entry }) if entry == mask.rsplit(',').next().unwrap()
            ));
        }
    }

    #[test]
    fn the_class_follows_the_mask() {
        let everything = Feature::ALL.iter().map(|f| format!("-{f}")).collect::<Vec<_>>().join(",");
        let bare = Cpu::unmasked().with_mask(&everything).unwrap();
        assert_eq!(bare.class(), format!("{ARCH}-baseline"));
        assert!(!bare.has_aes_gcm());
    }
}
