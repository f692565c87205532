//! What is meant of the history: `12`, `12:pool`, `12:pool@8`.

use std::str::FromStr;

/// A session, or one of its arms, or that with one of its worker counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Number of the session.
    pub id: i64,
    /// Name of the arm.
    pub arm: Option<String>,
    /// Its workers.
    pub workers: Option<u32>,
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "must be the number of a session, with an arm if wanted: 12, 12:pool, 12:pool@8".to_owned();
        let (id, arm) = text.split_once(':').map_or((text, None), |(id, arm)| (id, Some(arm)));
        let id = id.parse().map_err(|_| wrong())?;
        // A name may have such a sign itself.
        let counted =
            arm.and_then(|arm| arm.rsplit_once('@')).and_then(|(arm, count)| Some((arm, count.parse().ok()?)));
        let (arm, workers) = counted.map_or((arm, None), |(arm, count)| (Some(arm), Some(count)));
        if arm.is_some_and(str::is_empty) {
            return Err(wrong());
        }
        Ok(Self { id, arm: arm.map(str::to_owned), workers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_arms_and_worker_counts_are_named() {
        let read = |text: &str| text.parse::<Selector>().map(|found| (found.id, found.arm, found.workers));
        let arm = |name: &str| Some(name.to_owned());
        assert_eq!(read("12"), Ok((12, None, None)));
        assert_eq!(read("12:pool"), Ok((12, arm("pool"), None)));
        assert_eq!(read("12:pool@8"), Ok((12, arm("pool"), Some(8))));
        assert_eq!(read("12:a@b"), Ok((12, arm("a@b"), None)));
        for wrong in ["", "x", "12:", "12:@8", ":pool"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
