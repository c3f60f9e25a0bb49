//! Eight lanes in one AVX-512 register.
//!
//! Every block of unsafe code calls intrinsics that need the CPU features of [`Ifma`]. That they are
//! there is what an `Ifma` proves, and a [`Zmm`] can't be made without one.

#![allow(unsafe_code, reason = "calls of intrinsics whose CPU features the types prove")]

use std::arch::x86_64::*;

use super::{Lanes, MAX_LANES, Mask, Word};

/// Proof that the CPU has AVX-512 F, VL, DQ, BW and IFMA and that the system saves their state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ifma(());

impl Ifma {
    /// The proof, if this CPU can give it.
    pub(crate) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512ifma")
            && is_x86_feature_detected!("bmi2");
        has.then_some(Self(()))
    }
}

/// Eight 64-bit words. Made only through an [`Ifma`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zmm(__m512i);

impl Lanes for Ifma {
    type Word = Zmm;
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(self, value: u64) -> Zmm {
        // SAFETY: `self` proves AVX-512 F.
        Zmm(unsafe { _mm512_set1_epi64(value as i64) })
    }

    #[inline(always)]
    fn load(self, values: &[u64; MAX_LANES]) -> Zmm {
        // SAFETY: `self` proves AVX-512 F; `values` is 64 readable bytes, of any alignment.
        Zmm(unsafe { _mm512_loadu_si512(values.as_ptr().cast()) })
    }

    #[inline(always)]
    fn transpose(self, rows: [&[u64; MAX_LANES]; MAX_LANES]) -> [Zmm; MAX_LANES] {
        let rows = rows.map(|row| self.load(row).0);
        // SAFETY: `self` proves AVX-512 F.
        unsafe {
            // words 2i and 2i + 1 of two rows side by side, then of four, then of eight
            let pairs: [__m512i; MAX_LANES] = std::array::from_fn(|i| {
                let (even, odd) = (rows[i & !1], rows[i | 1]);
                if i & 1 == 0 {
                    _mm512_unpacklo_epi64(even, odd)
                } else {
                    _mm512_unpackhi_epi64(even, odd)
                }
            });
            let fours: [__m512i; MAX_LANES] = std::array::from_fn(|i| {
                let (upper, lower) = (pairs[i & !2], pairs[i | 2]);
                if i & 2 == 0 {
                    _mm512_shuffle_i64x2::<0b10_00_10_00>(upper, lower)
                } else {
                    _mm512_shuffle_i64x2::<0b11_01_11_01>(upper, lower)
                }
            });
            let eights: [__m512i; MAX_LANES] = std::array::from_fn(|i| {
                let (upper, lower) = (fours[i & !4], fours[i | 4]);
                if i & 4 == 0 {
                    _mm512_shuffle_i64x2::<0b10_00_10_00>(upper, lower)
                } else {
                    _mm512_shuffle_i64x2::<0b11_01_11_01>(upper, lower)
                }
            });
            eights.map(Zmm)
        }
    }

    #[inline(always)]
    fn run<R>(self, f: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx512ifma,bmi2")]
        fn with_features<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        // SAFETY: `self` proves the features that `with_features` enables.
        unsafe { with_features(f) }
    }
}

impl Word for Zmm {
    type Mask = __mmask8;
    #[inline(always)]
    fn store(self) -> [u64; MAX_LANES] {
        let mut values = [0; MAX_LANES];
        // SAFETY: `self` proves AVX-512 F; `values` is 64 writable bytes, of any alignment.
        unsafe { _mm512_storeu_si512(values.as_mut_ptr().cast(), self.0) };
        values
    }

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX-512 F.
        Self(unsafe { _mm512_add_epi64(self.0, other.0) })
    }

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX-512 F.
        Self(unsafe { _mm512_sub_epi64(self.0, other.0) })
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX-512 F.
        Self(unsafe { _mm512_and_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX-512 F.
        Self(unsafe { _mm512_or_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: `self` proves AVX-512 F.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }

    #[inline(always)]
    fn shl<const BITS: u32>(self) -> Self {
        // SAFETY: `self` proves AVX-512 F.
        Self(unsafe { _mm512_slli_epi64::<BITS>(self.0) })
    }

    #[inline(always)]
    fn shr<const BITS: u32>(self) -> Self {
        // SAFETY: `self` proves AVX-512 F.
        Self(unsafe { _mm512_srli_epi64::<BITS>(self.0) })
    }

    #[inline(always)]
    fn sar<const BITS: u32>(self) -> Self {
        // SAFETY: `self` proves AVX-512 F.
        Self(unsafe { _mm512_srai_epi64::<BITS>(self.0) })
    }

    #[inline(always)]
    fn madd_lo(self, a: Self, b: Self) -> Self {
        // SAFETY: `self` proves AVX-512 IFMA.
        Self(unsafe { _mm512_madd52lo_epu64(self.0, a.0, b.0) })
    }

    #[inline(always)]
    fn madd_hi(self, a: Self, b: Self) -> Self {
        // SAFETY: `self` proves AVX-512 IFMA.
        Self(unsafe { _mm512_madd52hi_epu64(self.0, a.0, b.0) })
    }

    #[inline(always)]
    fn equals(self, other: Self) -> __mmask8 {
        // SAFETY: `self` proves AVX-512 F.
        unsafe { _mm512_cmpeq_epu64_mask(self.0, other.0) }
    }

    #[inline(always)]
    fn less(self, other: Self) -> __mmask8 {
        // SAFETY: `self` proves AVX-512 F.
        unsafe { _mm512_cmplt_epu64_mask(self.0, other.0) }
    }

    #[inline(always)]
    fn select(self, mask: __mmask8, other: Self) -> Self {
        // SAFETY: `self` proves AVX-512 F.
        Self(unsafe { _mm512_mask_blend_epi64(mask, other.0, self.0) })
    }

    #[inline(always)]
    fn pick(self, table: &[u64; 16]) -> Self {
        let (low, high) = table.split_at(8);
        // SAFETY: `self` proves AVX-512 F; `low` and `high` are 64 readable bytes each.
        Self(unsafe {
            let low = _mm512_loadu_si512(low.as_ptr().cast());
            let high = _mm512_loadu_si512(high.as_ptr().cast());
            _mm512_permutex2var_epi64(low, self.0, high)
        })
    }
}

impl Mask for __mmask8 {
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self & other
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self | other
    }

    #[inline(always)]
    fn not(self) -> Self {
        !self
    }

    #[inline(always)]
    fn bits(self) -> u8 {
        self
    }
}
