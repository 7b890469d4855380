//! Which faults are in force, and for how many more times.

use std::sync::{Mutex, PoisonError};

/// A bounded register of faults. The most recently set one that applies wins.
#[derive(Debug)]
pub(super) struct Faults<F>(Mutex<Vec<Armed<F>>>);

#[derive(Debug)]
struct Armed<F> {
    fault: F,
    /// `None` means until cleared.
    left: Option<u32>,
}

// === impl Faults ===

impl<F> Default for Faults<F> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<F: Clone> Faults<F> {
    /// Puts a fault in force.
    pub(super) fn set(&self, fault: F, times: Option<u32>) {
        self.lock().push(Armed { fault, left: times });
    }

    /// Lifts all faults.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Takes one use of the first fault that fits.
    pub(super) fn take(&self, fits: impl Fn(&F) -> bool) -> Option<F> {
        let mut all = self.lock();
        let index = all.iter().rposition(|armed| fits(&armed.fault))?;
        let armed = all.get_mut(index)?;
        let fault = armed.fault.clone();
        if let Some(left) = &mut armed.left {
            *left = left.saturating_sub(1);
            if *left == 0 {
                all.remove(index);
            }
        }
        Some(fault)
    }

    /// True if a fault that fits is in force; uses nothing up.
    pub(super) fn any(&self, fits: impl Fn(&F) -> bool) -> bool {
        self.lock().iter().any(|armed| fits(&armed.fault))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Armed<F>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
