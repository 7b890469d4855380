//! The switches: which change is in force, and which ones were asked for.

use std::ops::{Add, Div, Mul, Sub};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// One more than there are changes.
pub const COUNT: usize = COUNT_OF_MUTANTS;

/// Not known yet.
const UNSET: u32 = u32::MAX;

static ACTIVE: AtomicU32 = AtomicU32::new(UNSET);
static REACHED: [AtomicBool; COUNT] = [const { AtomicBool::new(false) }; COUNT];

/// True if this change is in force.
#[inline]
pub fn on(number: u32) -> bool {
    if let Some(flag) = REACHED.get(number as usize) {
        flag.store(true, Ordering::Relaxed);
    }
    match ACTIVE.load(Ordering::Relaxed) {
        UNSET => first() == number,
        active => active == number,
    }
}

/// A program that sets none takes it from its environment.
#[cold]
fn first() -> u32 {
    let number = std::env::var("DNS_DRIFT_MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    set(number);
    number
}

/// Puts one change in force; 0 is none.
pub fn set(number: u32) {
    ACTIVE.store(number, Ordering::Relaxed);
}

/// The changes that were asked for since the last call.
pub fn reached() -> Vec<u32> {
    let flags = REACHED.iter().enumerate();
    flags.filter(|(_, flag)| flag.swap(false, Ordering::Relaxed)).map(|(place, _)| place as u32).collect()
}

/// `left < right`, or `==`, `>`, `<=`.
pub fn lt<T: PartialOrd + ?Sized>(number: u32, left: &T, right: &T) -> bool {
    let others = [on(number), on(number + 1), on(number + 2)];
    match others {
        [true, ..] => left == right,
        [_, true, _] => left > right,
        [.., true] => left <= right,
        _ => left < right,
    }
}

/// `left > right`, or `==`, `<`, `>=`.
pub fn gt<T: PartialOrd + ?Sized>(number: u32, left: &T, right: &T) -> bool {
    lt(number, right, left)
}

/// `left <= right`, or `>`, `<`.
pub fn le<T: PartialOrd + ?Sized>(number: u32, left: &T, right: &T) -> bool {
    match [on(number), on(number + 1)] {
        [true, _] => left > right,
        [_, true] => left < right,
        _ => left <= right,
    }
}

/// `left >= right`, or `<`, `>`.
pub fn ge<T: PartialOrd + ?Sized>(number: u32, left: &T, right: &T) -> bool {
    le(number, right, left)
}

/// `left + right`, or `-`.
pub fn add<L: Add<R, Output = O> + Sub<R, Output = O>, R, O>(number: u32, left: L, right: R) -> O {
    if on(number) { left - right } else { left + right }
}

/// `left - right`, or `+`.
pub fn sub<L: Add<R, Output = O> + Sub<R, Output = O>, R, O>(number: u32, left: L, right: R) -> O {
    if on(number) { left + right } else { left - right }
}

/// `left * right`, or `/`.
pub fn mul<L: Mul<R, Output = O> + Div<R, Output = O>, R, O>(number: u32, left: L, right: R) -> O {
    if on(number) { left / right } else { left * right }
}

/// `left / right`, or `*`.
pub fn div<L: Mul<R, Output = O> + Div<R, Output = O>, R, O>(number: u32, left: L, right: R) -> O {
    if on(number) { left * right } else { left / right }
}
