//! Every method of every implementation against the one-lane arithmetic it stands for.

use proptest::prelude::*;

use super::*;

/// Words with the patterns at which carries, limbs and signs turn over.
fn words() -> impl Strategy<Value = [u64; MAX_LANES]> {
    let edge = prop::sample::select(vec![
        0,
        1,
        (1 << 51) - 1,
        1 << 51,
        (1 << 52) - 1,
        1 << 52,
        (1 << 63) - 1,
        1 << 63,
        u64::MAX - 1,
        u64::MAX,
    ]);
    prop::array::uniform8(prop_oneof![edge, any::<u64>()])
}

const LIMB: u64 = (1 << LIMB_BITS) - 1;

fn product(a: u64, b: u64) -> u128 {
    u128::from(a & LIMB) * u128::from(b & LIMB)
}

/// What each method does to one lane, beside what it does to a whole word.
#[track_caller]
fn lanewise<L: Lanes>(
    l: L,
    [a, b, c]: [[u64; MAX_LANES]; 3],
    scalar: impl Fn(u64, u64, u64) -> u64,
    vector: impl Fn(L::Word, L::Word, L::Word) -> L::Word,
) {
    let expected: [u64; MAX_LANES] =
        std::array::from_fn(|i| if i < L::LANES { scalar(a[i], b[i], c[i]) } else { 0 });
    let got = l.run(|| vector(l.load(&a), l.load(&b), l.load(&c)).store());
    assert_eq!(got, expected, "{a:x?} {b:x?} {c:x?}");
}

fn every_method<L: Lanes>(l: L, abc: [[u64; MAX_LANES]; 3], table: [u64; 16]) {
    let (one, zero) = (l.splat(1), l.splat(0));
    lanewise(l, abc, |a, _, _| a, |a, _, _| a);
    lanewise(l, abc, |_, _, _| abc[0][0], |_, _, _| l.splat(abc[0][0]));
    lanewise(l, abc, |a, b, _| a.wrapping_add(b), |a, b, _| a.add(b));
    lanewise(l, abc, |a, b, _| a.wrapping_sub(b), |a, b, _| a.sub(b));
    lanewise(l, abc, |a, b, _| a & b, |a, b, _| a.and(b));
    lanewise(l, abc, |a, b, _| a | b, |a, b, _| a.or(b));
    lanewise(l, abc, |a, b, _| a ^ b, |a, b, _| a.xor(b));
    lanewise(l, abc, |a, _, _| a << 52, |a, _, _| a.shl::<52>());
    lanewise(l, abc, |a, _, _| a >> 52, |a, _, _| a.shr::<52>());
    lanewise(l, abc, |a, _, _| (a.cast_signed() >> 52).cast_unsigned(), |a, _, _| a.sar::<52>());
    lanewise(l, abc, |a, b, c| a.wrapping_add(product(b, c) as u64 & LIMB), Word::madd_lo);
    lanewise(l, abc, |a, b, c| a.wrapping_add((product(b, c) >> LIMB_BITS) as u64), Word::madd_hi);
    lanewise(l, abc, |a, b, _| u64::from(a == b), |a, b, _| one.select(a.equals(b), zero));
    lanewise(l, abc, |_, _, _| 1, |a, _, _| one.select(a.equals(a), zero));
    lanewise(l, abc, |a, b, _| u64::from(a < b), |a, b, _| one.select(a.less(b), zero));
    lanewise(l, abc, |_, _, _| 0, |a, _, _| one.select(a.less(a), zero));
    lanewise(l, abc, |a, b, c| if a < b { b } else { c }, |a, b, c| b.select(a.less(b), c));
    lanewise(l, abc, |a, _, _| table[(a % 16) as usize], |a, _, _| a.pick(&table));
    masks(l, abc);
}

fn masks<L: Lanes>(l: L, [a, b, c]: [[u64; MAX_LANES]; 3]) {
    let bits = |f: &dyn Fn(usize) -> bool| {
        (0..L::LANES).fold(0_u8, |bits, lane| bits | u8::from(f(lane)) << lane)
    };
    let (below, equal) = l.run(|| {
        let (a, b, c) = (l.load(&a), l.load(&b), l.load(&c));
        (a.less(b), b.equals(c))
    });
    assert_eq!(below.bits(), bits(&|i| a[i] < b[i]));
    assert_eq!(equal.bits(), bits(&|i| b[i] == c[i]));
    assert_eq!(below.and(equal).bits(), bits(&|i| a[i] < b[i] && b[i] == c[i]));
    assert_eq!(below.or(equal).bits(), bits(&|i| a[i] < b[i] || b[i] == c[i]));
    assert_eq!(below.not().bits(), bits(&|i| a[i] >= b[i]));
}

fn transposed<L: Lanes>(l: L, rows: [[u64; MAX_LANES]; MAX_LANES]) {
    let words = l.run(|| l.transpose(rows.each_ref()).map(Word::store));
    for (word, column) in words.iter().enumerate() {
        let expected: [u64; MAX_LANES] =
            std::array::from_fn(|lane| if lane < L::LANES { rows[lane][word] } else { 0 });
        assert_eq!(*column, expected, "word {word}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn rows_become_columns(rows in prop::array::uniform8(prop::array::uniform8(any::<u64>()))) {
        transposed(Portable, rows);
        transposed(Single, rows);
        #[cfg(target_arch = "x86_64")]
        if let Some(l) = Ifma::detect() {
            transposed(l, rows);
        }
    }

    #[test]
    fn every_implementation_computes_lane_by_lane(
        a in words(), b in words(), c in words(), table in prop::array::uniform16(any::<u64>()),
    ) {
        every_method(Portable, [a, b, c], table);
        every_method(Single, [a, b, c], table);
        #[cfg(target_arch = "x86_64")]
        if let Some(l) = Ifma::detect() {
            every_method(l, [a, b, c], table);
        }
    }
}
