//! The fields against big-integer arithmetic, at the edges of every bound that the types promise.

use num_bigint::BigUint;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
#[cfg(target_arch = "x86_64")]
use crate::lanes::Ifma;
use crate::lanes::{MAX_LANES, Mask, Portable, Single, Word};

type Bytes = [[u8; 32]; MAX_LANES];

fn big(limbs: [u64; LIMBS]) -> BigUint {
    limbs.iter().rev().fold(BigUint::ZERO, |sum, limb| (sum << LIMB_BITS) + limb)
}

fn prime<M: Modulus>() -> BigUint {
    big(M::PRIME)
}

fn small(integer: &BigUint) -> [u64; LIMBS] {
    assert!(integer.bits() <= 260);
    std::array::from_fn(|i| {
        let limb: BigUint = (integer >> (i * 52)) & BigUint::from(LIMB_MASK);
        limb.try_into().unwrap()
    })
}

/// A way to choose an integer below any bound: near 0 or the bound, near a multiple of the prime,
/// limbs of zeros and ones, or anything.
#[derive(Clone, Debug)]
enum Choice {
    Low(u64),
    High(u64),
    Near(Index, i8),
    Limbs([u8; LIMBS], i8),
    Any([u64; LIMBS]),
}

fn choices() -> impl Strategy<Value = [Choice; MAX_LANES]> {
    prop::array::uniform8(prop_oneof![
        (0..4_u64).prop_map(Choice::Low),
        (1..4_u64).prop_map(Choice::High),
        (any::<Index>(), -3..4_i8).prop_map(|(index, offset)| Choice::Near(index, offset)),
        (prop::array::uniform5(0..4_u8), -1..2_i8).prop_map(|(l, offset)| Choice::Limbs(l, offset)),
        prop::array::uniform5(0..=LIMB_MASK).prop_map(Choice::Any),
    ])
}

impl Choice {
    fn below(&self, k: u32, prime: &BigUint) -> BigUint {
        let bound = prime * k;
        let offset = |integer: BigUint, by: i8| {
            let by_magnitude = BigUint::from(by.unsigned_abs());
            (if by < 0 { integer + &bound - by_magnitude } else { integer + by_magnitude }) % &bound
        };
        match self {
            Self::Low(low) => BigUint::from(*low),
            Self::High(high) => &bound - high,
            Self::Near(index, by) => offset(prime * index.index(k as usize), *by),
            Self::Limbs(kinds, by) => {
                let patterns = [0, LIMB_MASK, 1 << 51, LIMB_MASK >> 1];
                offset(big(kinds.map(|kind| patterns[usize::from(kind)])), *by)
            }
            Self::Any(limbs) => big(*limbs) % &bound,
        }
    }
}

/// Operands of a kind: what the lanes hold, and the same as big integers.
struct Operands<L: Lanes, M, const K: u32> {
    element: Element<L, M, K>,
    integers: Vec<BigUint>,
}

fn operands<L: Lanes, M: Modulus, const K: u32>(
    l: L,
    choices: &[Choice; MAX_LANES],
) -> Operands<L, M, K> {
    let integers: Vec<_> =
        choices.iter().take(L::LANES).map(|choice| choice.below(K, &prime::<M>())).collect();
    let mut columns = [[0; MAX_LANES]; LIMBS];
    for (lane, integer) in integers.iter().enumerate() {
        for (column, limb) in columns.iter_mut().zip(small(integer)) {
            column[lane] = limb;
        }
    }
    Operands { element: Element::from_limbs(l, columns.map(|column| l.load(&column))), integers }
}

/// Asserts that limbs and value keep the bounds of the type and that residues are the expected ones.
#[track_caller]
fn check<L: Lanes, M: Modulus, const K: u32>(
    element: Element<L, M, K>,
    expected: impl Fn(usize) -> BigUint,
) {
    let columns = element.limbs().map(Word::store);
    for lane in 0..L::LANES {
        let limbs = columns.map(|column| column[lane]);
        assert!(limbs.iter().all(|&limb| limb <= LIMB_MASK), "lane {lane}: {limbs:x?}");
        assert!(big(limbs) < prime::<M>() * K, "lane {lane}: {limbs:x?}");
        let (got, expected) = (big(limbs) % prime::<M>(), expected(lane) % prime::<M>());
        assert_eq!(got, expected, "lane {lane}");
    }
}

/// What every modulus has, of operands at the bounds.
fn arithmetic<L: Lanes, M: Modulus>(l: L, [a, b]: [&[Choice; MAX_LANES]; 2]) {
    let p = prime::<M>();
    let r_inverse = (BigUint::from(1_u8) << 260_u32).modinv(&p).unwrap();
    let (a2, b2) = (operands::<L, M, 2>(l, a), operands::<L, M, 2>(l, b));
    let (a4, b4) = (operands::<L, M, 4>(l, a), operands::<L, M, 4>(l, b));
    let (a8, a1) = (operands::<L, M, 8>(l, a), operands::<L, M, 1>(l, a));
    let b16 = operands::<L, M, 16>(l, b);
    check(a2.element.mul(b2.element), |i| &a2.integers[i] * &b2.integers[i] * &r_inverse);
    check(a4.element.mul(b4.element), |i| &a4.integers[i] * &b4.integers[i] * &r_inverse);
    check(a8.element.mul(b2.element), |i| &a8.integers[i] * &b2.integers[i] * &r_inverse);
    check(a1.element.mul(b16.element), |i| &a1.integers[i] * &b16.integers[i] * &r_inverse);
    check(a4.element.sqr(), |i| &a4.integers[i] * &a4.integers[i] * &r_inverse);
    let sum: Element<L, M, 12> = a8.element.add(b4.element);
    check(sum, |i| &a8.integers[i] + &b4.integers[i]);
    let difference: Element<L, M, 12> = a8.element.sub(b4.element);
    check(difference, |i| &a8.integers[i] + &p * 4_u32 - &b4.integers[i]);
    let negative: Element<L, M, 5> = a4.element.neg();
    check(negative, |i| &p * 4_u32 - &a4.integers[i]);
    check(a4.element.shl::<2, 16>(), |i| &a4.integers[i] * 4_u32);
    check(a4.element.widen::<7>(), |i| a4.integers[i].clone());
    let zero = b16.element.is_zero().bits();
    let equal = a4.element.equals(b4.element).bits();
    let chosen = a2.element.select(a4.element.equals(b4.element), b2.element);
    let integers = a8.element.to_integer().limbs().map(Word::store);
    for i in 0..L::LANES {
        assert_eq!(zero >> i & 1 == 1, &b16.integers[i] % &p == BigUint::ZERO, "lane {i}");
        let same = &a4.integers[i] % &p == &b4.integers[i] % &p;
        assert_eq!(equal >> i & 1 == 1, same, "lane {i}");
        let residue = &a8.integers[i] * &r_inverse % &p;
        assert_eq!(big(integers.map(|column| column[i])), residue, "lane {i}");
    }
    check(chosen, |i| if equal >> i & 1 == 1 { &a2.integers[i] } else { &b2.integers[i] }.clone());
    assert_eq!(zero >> (L::LANES - 1) >> 1, 0);
    let mut wiped = a2.element;
    wiped.zeroize();
    assert_eq!(wiped.limbs().map(Word::store), [[0; MAX_LANES]; LIMBS]);
}

/// Sums modulo p, up to the largest that may be folded.
fn sums<L: Lanes>(l: L, [ca, cb]: [&[Choice; MAX_LANES]; 2]) {
    let (a, b) = (ca, cb);
    let p = prime::<P256>();
    let r_inverse = (BigUint::from(1_u8) << 260_u32).modinv(&p).unwrap();
    let (a16, b16) = (operands::<L, P256, 16>(l, a), operands::<L, P256, 16>(l, b));
    let (a4, b4) = (operands::<L, P256, 4>(l, a), operands::<L, P256, 4>(l, b));
    let (a, b) = (&a16.integers, &b16.integers);
    let loose = |element: Element<L, P256, 16>| element.loose();
    let highest =
        loose(a16.element).shl::<1, 32>().plus::<_, 64>(loose(b16.element).shl::<1, 32>());
    check(highest.fold(), |i| (&a[i] + &b[i]) * 2_u32);
    let offset = &p * 64_u32;
    let lowest = l.splat(0);
    let lowest = Element::<L, P256, 1>::from_limbs(l, [lowest; LIMBS]).loose();
    let lowest = lowest.minus::<_, 17>(loose(a16.element)).minus::<_, 33>(loose(b16.element));
    check(lowest.fold(), |i| &offset - &a[i] - &b[i]);
    check(loose(a16.element).minus::<_, 32>(loose(b16.element)).fold(), |i| {
        &offset + &a[i] - &b[i]
    });
    let (a, b) = (&a4.integers, &b4.integers);
    let product = a4.element.mul_loose(b4.element);
    check(product.fold(), |i| &a[i] * &b[i] * &r_inverse);
    let (c8, d2) = (operands::<L, P256, 8>(l, ca), operands::<L, P256, 2>(l, cb));
    let (c, d) = (&c8.integers, &d2.integers);
    check(a4.element.mul_sub_mul(b4.element, (c8.element, d2.element)).fold(), |i| {
        (&a[i] * &b[i] + (&p * &p * 16_u32 - &c[i] * &d[i])) * &r_inverse
    });
    check(a4.element.mul_sub_8_sqr(b4.element, d2.element).fold(), |i| {
        (&a[i] * &b[i] + (&p * &p * 32_u32 - &d[i] * &d[i] * 8_u32)) * &r_inverse
    });
    check(loose(a16.element).minus::<_, 32>(loose(b16.element)).canonical(), |i| {
        &offset + &a16.integers[i] - &b16.integers[i]
    });
    let square = a4.element.sqr_loose().shl::<3, 32>();
    check(product.minus::<_, 36>(square).fold(), |i| {
        let square = &a[i] * &a[i] * &r_inverse % &p * 8_u32;
        &a[i] * &b[i] * &r_inverse + &offset - square
    });
}

/// Bytes in and out, comparisons, and what Fermat's theorem gives.
fn conversions<L: Lanes, M: Modulus>(l: L, [a, b]: [&Bytes; 2]) {
    let p = prime::<M>();
    let (x, y) = (Integer::from_bytes(l, a), Integer::from_bytes(l, b));
    assert_eq!(x.to_bytes()[..L::LANES], a[..L::LANES]);
    assert_eq!(Integer::from_words(l, x.to_words()).to_bytes(), x.to_bytes());
    let element = Element::<L, M>::from_bytes(l, a);
    let inverse = element.invert();
    let public = element.invert_public();
    assert_eq!(public.to_bytes(), inverse.to_bytes());
    check(public, |i| BigUint::from_bytes_be(&inverse.to_bytes()[i]) << 260_u32);
    let (residues, inverses) = (element.to_bytes(), inverse.to_bytes());
    let (less, equal, zero) = (x.less(y).bits(), x.equals(y).bits(), x.is_zero().bits());
    let reduced = x.sub_once(y).to_bytes();
    let products = element.mul(inverse).to_bytes();
    check(element, |i| BigUint::from_bytes_be(&a[i]) << 260_u32);
    check(Element::<L, M>::one(l), |_| BigUint::from(1_u8) << 260_u32);
    check(Element::<L, M>::power_of_two::<5>(l), |_| BigUint::from(1_u8) << 265_u32);
    check(Element::<L, M>::power_of_two::<-1>(l), |_| BigUint::from(1_u8) << 259_u32);
    check(Element::<L, M>::zero(l), |_| BigUint::ZERO);
    for i in 0..L::LANES {
        let [a, b] = [a, b].map(|bytes| BigUint::from_bytes_be(&bytes[i]));
        assert_eq!(BigUint::from_bytes_be(&residues[i]), &a % &p);
        let expected = (&a % &p).modpow(&(&p - 2_u32), &p);
        assert_eq!(BigUint::from_bytes_be(&inverses[i]), expected, "1 / {a:x}");
        assert_eq!(BigUint::from_bytes_be(&products[i]), &a * expected % &p);
        assert_eq!(
            [less, equal, zero].map(|bits| bits >> i & 1 == 1),
            [a < b, a == b, a == BigUint::ZERO]
        );
        assert_eq!(BigUint::from_bytes_be(&reduced[i]), if a < b { a } else { a - b });
    }
}

/// Calls a function for each implementation of the lanes and each modulus.
macro_rules! everywhere {
    ($function:ident, $arguments:expr) => {
        $function::<_, P256>(Portable, $arguments);
        $function::<_, N256>(Portable, $arguments);
        $function::<_, P256>(Single, $arguments);
        $function::<_, N256>(Single, $arguments);
        #[cfg(target_arch = "x86_64")]
        if let Some(l) = Ifma::detect() {
            $function::<_, P256>(l, $arguments);
            $function::<_, N256>(l, $arguments);
        }
    };
}

/// 32 bytes near 0, 2^256 and the primes, or any.
fn bytes() -> impl Strategy<Value = [u8; 32]> {
    let edges = [BigUint::ZERO, prime::<P256>(), prime::<N256>(), BigUint::from(1_u8) << 256_u32];
    let near = (prop::sample::select(edges.to_vec()), -2..3_i8).prop_map(|(edge, offset)| {
        let modulus = BigUint::from(1_u8) << 256_u32;
        let offset = if offset < 0 {
            &modulus - offset.unsigned_abs()
        } else {
            BigUint::from(offset.unsigned_abs())
        };
        let integer = ((edge + offset) % modulus).to_bytes_be();
        let mut bytes = [0; 32];
        bytes[32 - integer.len()..].copy_from_slice(&integer);
        bytes
    });
    prop_oneof![near, prop::array::uniform32(any::<u8>())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn arithmetic_keeps_values_and_bounds(a in choices(), b in choices()) {
        everywhere!(arithmetic, [&a, &b]);
    }

    #[test]
    fn folded_sums_keep_values_and_bounds(a in choices(), b in choices()) {
        sums(Portable, [&a, &b]);
        sums(Single, [&a, &b]);
        #[cfg(target_arch = "x86_64")]
        if let Some(l) = Ifma::detect() {
            sums(l, [&a, &b]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]
    #[test]
    fn bytes_comparisons_and_inverses(
        a in prop::array::uniform8(bytes()), b in prop::array::uniform8(bytes()),
    ) {
        everywhere!(conversions, [&a, &b]);
        everywhere!(conversions, [&a, &a]);
    }
}
