//! Every function against big integers, for elements whose limbs are anywhere within their bounds.

use num_bigint::BigUint;
use proptest::prelude::*;

use super::*;
#[cfg(target_arch = "x86_64")]
use crate::lanes::Ifma;
use crate::lanes::{Portable, Single};

/// Bounds, exclusive, of the top limbs.
const FE: u64 = (1 << 47) + (1 << 5);
const FACTOR: u64 = 6 << 47;

/// The limbs of one element in each lane.
type Elements = [[u64; 5]; MAX_LANES];

pub(crate) fn p() -> BigUint {
    (BigUint::from(1_u8) << 255) - 19_u8
}

/// What limbs stand for, modulo p.
pub(crate) fn value(limbs: [u64; 5]) -> BigUint {
    limbs.iter().rev().fold(BigUint::ZERO, |value, &limb| (value << 52) + limb) % p()
}

/// Numbers below `bound`, often at an end of what they can be or where a carry is about to happen.
fn below(bound: u64) -> impl Strategy<Value = u64> {
    let edges =
        vec![0, 1, 18, 19, 37, 38, bound / 2, bound - 39, bound - 20, bound - 19, bound - 1];
    prop_oneof![prop::sample::select(edges), 0..bound]
}

fn limbs(top: u64) -> impl Strategy<Value = [u64; 5]> {
    let low = || below(1 << 52);
    let any = [low(), low(), low(), low()];
    let any = (any, below(top)).prop_map(|([a, b, c, d], e)| [a, b, c, d, e]);
    // every limb at an end, as a carry that runs through all of them needs it
    let full = (below(1 << 52), prop::sample::select(vec![TOP - 1, TOP, TOP + 1, top - 1]))
        .prop_map(|(low, high)| [low, LIMB, LIMB, LIMB, high]);
    prop_oneof![4 => any, 1 => full, 1 => Just([LIMB, LIMB, LIMB, LIMB, top - 1])]
}

fn elements(top: u64) -> impl Strategy<Value = Elements> {
    // a vector, for arrays of strategies fill a test's stack
    prop::collection::vec(limbs(top), MAX_LANES).prop_map(|elements| elements.try_into().unwrap())
}

fn load<L: Lanes>(l: L, elements: &Elements) -> [L::Word; 5] {
    std::array::from_fn(|limb| l.load(&elements.map(|element| element[limb])))
}

fn store<W: Word>(words: [W; 5]) -> Elements {
    let words = words.map(W::store);
    std::array::from_fn(|lane| words.map(|word| word[lane]))
}

/// That `got` is within the bounds of an [`Fe`] and is what `expected` says, lane by lane.
#[track_caller]
fn is<L: Lanes>(_: L, got: Fe<L::Word>, expected: impl Fn(usize) -> BigUint) {
    for (lane, got) in store(got.0).into_iter().enumerate().take(L::LANES) {
        assert!(got[..4].iter().all(|&limb| limb <= LIMB) && got[4] < FE, "{got:x?}");
        assert_eq!(value(got), expected(lane) % p(), "lane {lane}");
    }
}

/// The same of a [`Factor`], without the bits that it ignores.
#[track_caller]
fn is_factor<L: Lanes>(_: L, got: Factor<L::Word>, expected: impl Fn(usize) -> BigUint) {
    for (lane, [a, b, c, d, top]) in store(got.0).into_iter().enumerate().take(L::LANES) {
        assert!(top < FACTOR, "{top:x}");
        let got = [a & LIMB, b & LIMB, c & LIMB, d & LIMB, top];
        assert_eq!(value(got), expected(lane) % p(), "lane {lane}");
    }
}

/// `elements` and, in the lower limbs, something above bit 52.
fn with_rubbish(elements: &Elements, rubbish: u64) -> Elements {
    elements.map(|[a, b, c, d, e]| {
        let [a, b, c, d] = [a, b, c, d].map(|limb| limb | rubbish << 52);
        [a, b, c, d, e]
    })
}

fn products<L: Lanes>(l: L, a: &Elements, b: &Elements, c: &Elements, rubbish: u64) {
    let field = Field(l);
    let [wa, wb] = [a, b].map(|x| Factor(load(l, &with_rubbish(x, rubbish))));
    is(l, l.run(|| field.mul(wa, wb)), |i| value(a[i]) * value(b[i]));
    is(l, l.run(|| field.square(wa)), |i| value(a[i]) * value(a[i]));
    for factor in [121_665, (1 << 17) - 1] {
        let sum = |i: usize| value(c[i]) + value(a[i]) * factor;
        is(l, l.run(|| field.scale_add(Fe(load(l, c)), factor, wa)), sum);
    }
    let (low, high) = (a, b);
    let chosen = l.run(|| wa.select(wa.0[0].less(wb.0[0]), wb));
    let choice = |i: usize| if low[i][0] < high[i][0] { low[i] } else { high[i] };
    is_factor(l, chosen, |i| value(choice(i)));
}

fn sums<L: Lanes>(l: L, elements: &[Elements; 4]) {
    let field = Field(l);
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| Fe(load(l, &elements[i])));
    let value = |i: usize, lane: usize| value(elements[i][lane]);
    let minus = |i: usize, lane: usize| p() - value(i, lane);
    is_factor(l, l.run(|| field.add(a, b)), |i| value(0, i) + value(1, i));
    is_factor(l, l.run(|| field.sub(a, b)), |i| value(0, i) + minus(1, i));
    is_factor(l, l.run(|| field.sub(a, a)), |_| BigUint::ZERO);
    let three = |i| value(0, i) + value(1, i) + value(2, i);
    is_factor(l, l.run(|| field.add(a.plus(b).plus(c), d)), |i| three(i) + value(3, i));
    is_factor(l, l.run(|| field.sub(a.plus(b).plus(c), d)), |i| three(i) + minus(3, i));
}

fn words<L: Lanes>(l: L, elements: &Elements, words: &[[u64; MAX_LANES]; 4]) {
    let field = Field(l);
    let number = |words: &[[u64; MAX_LANES]; 4], lane: usize| {
        words.iter().rev().fold(BigUint::ZERO, |number, word| (number << 64) + word[lane])
    };
    is(l, l.run(|| field.load(words)), |i| number(words, i) % (BigUint::from(1_u8) << 255));
    let reduced = l.run(|| field.store(Fe(load(l, elements)))).map(L::Word::store);
    for (lane, element) in elements.iter().enumerate().take(L::LANES) {
        assert_eq!(number(&reduced, lane), value(*element), "{element:x?}");
    }
}

fn constants<L: Lanes>(l: L, elements: &Elements, table: &[[u64; 16]; 5], index: u64) {
    let field = Field(l);
    let first = elements[0];
    is(l, field.small(first[0]), |_| first[0].into());
    is(l, field.splat(first), |_| value(first));
    assert_eq!(field.splat(first).lane_0(), first);
    let picked = l.run(|| field.pick(table, l.splat(index)));
    assert_eq!(picked.lane_0(), table.map(|limb| limb[(index % 16) as usize]));
}

fn inverses<L: Lanes>(l: L, a: &Elements, b: &Elements) {
    let [x, y] = Field(l).invert([Fe(load(l, a)), Fe(load(l, b))]);
    let inverse = |element| value(element).modpow(&(p() - 2_u8), &p());
    is(l, x, |i| inverse(a[i]));
    is(l, y, |i| inverse(b[i]));
}

/// Runs a check on every implementation of lanes that this CPU has.
macro_rules! everywhere {
    ($check:ident($($argument:expr),*)) => {
        $check(Portable, $($argument),*);
        $check(Single, $($argument),*);
        #[cfg(target_arch = "x86_64")]
        if let Some(l) = Ifma::detect() {
            $check(l, $($argument),*);
        }
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn products_are_right_and_within_bounds(
        a in elements(FACTOR), b in elements(FACTOR), c in elements(FE), rubbish in 0_u64..1 << 12,
    ) {
        everywhere!(products(&a, &b, &c, rubbish));
    }

    #[test]
    fn sums_are_right_and_within_bounds(elements in prop::array::uniform4(elements(FE))) {
        everywhere!(sums(&elements));
    }

    #[test]
    fn words_are_reduced_fully(
        elements in elements(FE), input in prop::array::uniform4(prop::array::uniform8(any::<u64>())),
    ) {
        everywhere!(words(&elements, &input));
    }

    #[test]
    fn constants_and_tables_are_in_every_lane(
        elements in elements(FE),
        table in prop::collection::vec(below(FE), 80),
        index in any::<u64>(),
    ) {
        let table = std::array::from_fn(|limb| std::array::from_fn(|i| table[16 * limb + i]));
        everywhere!(constants(&elements, &table, index));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]
    #[test]
    fn inverses_are_right(a in elements(FE), b in elements(FE)) {
        everywhere!(inverses(&a, &b));
        everywhere!(inverses(&[[0; 5]; MAX_LANES], &b));
    }
}

/// Values around 0, p, 2p and 2^255, in every lane.
#[test]
fn numbers_at_the_modulus_are_reduced_fully() {
    let around = |[low, middle, top]: [u64; 3]| {
        (0..40_u64).map(move |i| [low.wrapping_add(i) & LIMB, middle, middle, middle, top])
    };
    let cases = [[0, 0, 0], [LIMB - 39, LIMB, TOP], [0, 0, TOP + 1], [LIMB - 39, LIMB, FE - 1]];
    let cases: Vec<_> = cases.into_iter().flat_map(around).collect();
    for cases in cases.windows(MAX_LANES) {
        let cases: [_; MAX_LANES] = cases.try_into().unwrap();
        everywhere!(words(&cases, &[[u64::MAX; MAX_LANES]; 4]));
    }
}
