//! The trusted authorities' names that an inner verifier wants sent to peers.
//!
//! rustls borrows them from the verifier for as long as it likes, while the inner verifier that they
//! come from can be replaced. So they are kept here for the wrapper's whole life, each distinct list
//! once: a list that comes back, as after a rollback, is found again.

use std::sync::OnceLock;

use rustls::DistinguishedName;

/// A list of names; none means that nothing is to be sent.
type Subjects = Option<Vec<DistinguishedName>>;

/// Every list so far, in order of first appearance.
#[derive(Debug)]
pub(super) struct Hints {
    subjects: Subjects,
    next: OnceLock<Box<Self>>,
}

impl Hints {
    /// With one list, whose position is zero.
    pub(super) fn new(subjects: Option<&[DistinguishedName]>) -> Self {
        Self { subjects: subjects.map(<[_]>::to_vec), next: OnceLock::new() }
    }

    /// The position of a list, which is added if it is new.
    pub(super) fn position(&self, subjects: Option<&[DistinguishedName]>) -> usize {
        let mut node = self;
        let mut position = 0;
        while !node.holds(subjects) {
            node = node.next.get_or_init(|| Box::new(Self::new(subjects)));
            position += 1;
        }
        position
    }

    /// The list at a position that [`Self::position`] gave.
    pub(super) fn at(&self, position: usize) -> Option<&[DistinguishedName]> {
        let nodes = std::iter::successors(Some(self), |node| node.next.get().map(Box::as_ref));
        nodes.into_iter().nth(position)?.subjects.as_deref()
    }

    fn holds(&self, subjects: Option<&[DistinguishedName]>) -> bool {
        let bytes = |subjects: &[DistinguishedName]| -> Vec<Vec<u8>> {
            subjects.iter().map(|subject| subject.as_ref().to_vec()).collect()
        };
        self.subjects.as_deref().map(bytes) == subjects.map(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[u8]) -> Vec<DistinguishedName> {
        names.iter().map(|name| DistinguishedName::from(vec![*name])).collect()
    }

    #[test]
    fn each_distinct_list_is_kept_once_and_stays() {
        let (one, two) = (list(&[1]), list(&[1, 2]));
        let hints = Hints::new(Some(&one));
        let first = hints.at(0).unwrap();
        for _ in 0..3 {
            assert_eq!(hints.position(Some(&one)), 0);
            assert_eq!(hints.position(Some(&two)), 1);
            assert_eq!(hints.position(None), 2);
        }
        assert_eq!(hints.position(Some(&[])), 3);
        assert_eq!(first[0].as_ref(), [1]);
        assert_eq!(hints.at(1).unwrap().len(), 2);
        assert!(hints.at(2).is_none() && hints.at(3).unwrap().is_empty());
    }
}
