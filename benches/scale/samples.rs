//! A scrape, as far as a measurement reads it.

pub(crate) struct Samples(String);

impl Samples {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// The values of all lines with that beginning.
    fn values(&self, beginning: &str) -> impl Iterator<Item = f64> {
        let lines = self.0.lines().filter(move |line| line.starts_with(beginning));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse().ok())
    }

    pub(crate) fn sum(&self, beginning: &str) -> f64 {
        self.values(beginning).sum()
    }

    pub(crate) fn count(&self, beginning: &str) -> usize {
        self.values(beginning).count()
    }
}
