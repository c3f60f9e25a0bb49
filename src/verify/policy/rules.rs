//! Rules, compiled: one table of everything that any of them names.

use std::collections::HashMap;
use std::fmt;

use crate::verify::spiffe::{SpiffeId, TrustDomain};

/// Whom a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// This identity.
    Id(SpiffeId),
    /// This identity and all below it: `spiffe://td/ns/a` matches itself and `spiffe://td/ns/a/sa/b`, not
    /// `spiffe://td/ns/ab`. Of an identity without a path, the whole trust domain.
    Below(SpiffeId),
    /// All of a trust domain.
    TrustDomain(TrustDomain),
}

/// What a policy says of an identity, and what named it: the identity, one of its parents, or its trust domain, as a
/// SPIFFE ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// It may call.
    Allowed(&'a str),
    /// A rule denies it, whether or not another one allows it.
    Denied(&'a str),
    /// No rule is about it, so it may not call.
    Unlisted,
}

/// Rules about who may call. Immutable: [`Callers::replace`](super::Callers::replace) puts another one in force.
#[derive(Clone, Default)]
pub struct Policy {
    named: HashMap<Box<str>, Said>,
    /// The most segments that any identity with something below it has. Deeper parents need no look-up.
    deepest: usize,
}

/// What is said of an identity by all rules together.
#[derive(Clone, Copy, Default)]
struct Said {
    itself: Lists,
    below: Lists,
}

#[derive(Clone, Copy, Default)]
struct Lists {
    allowed: bool,
    denied: bool,
}

/// Collects the rules of a [`Policy`].
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is in force before `build`"]
pub struct PolicyBuilder(Policy);

impl Policy {
    /// Without a rule yet, which lets nobody in.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    /// Whether `id` may call, and what decides.
    pub fn decide<'a>(&self, id: &'a SpiffeId) -> Decision<'a> {
        let uri = id.as_str();
        let parents = lineage(id).take(self.deepest + 1);
        let below = parents.map(|parent| (parent, self.said(parent).below));
        let named = below.chain([(uri, self.said(uri).itself)]);
        let mut decision = Decision::Unlisted;
        for (name, lists) in named {
            if lists.denied {
                return Decision::Denied(name);
            }
            if lists.allowed {
                decision = Decision::Allowed(name);
            }
        }
        decision
    }

    fn said(&self, uri: &str) -> Said {
        self.named.get(uri).copied().unwrap_or_default()
    }

    /// Whether `id` may call.
    pub fn allows(&self, id: &SpiffeId) -> bool {
        matches!(self.decide(id), Decision::Allowed(_))
    }
}

/// The trust domain, every parent, and the identity itself.
fn lineage(id: &SpiffeId) -> impl Iterator<Item = &str> {
    let (uri, path) = (id.as_str(), id.path());
    let domain = uri.len() - path.len();
    let parents = path.match_indices('/').map(move |(place, _)| &uri[..domain + place]);
    parents.chain([uri])
}

impl PolicyBuilder {
    /// Lets in whom `rule` is about.
    pub fn allow(mut self, rule: Rule) -> Self {
        self.lists(&rule).allowed = true;
        self
    }

    /// Keeps out whom `rule` is about, whatever else allows them.
    pub fn deny(mut self, rule: Rule) -> Self {
        self.lists(&rule).denied = true;
        self
    }

    /// The policy.
    pub fn build(self) -> Policy {
        self.0
    }

    fn lists(&mut self, rule: &Rule) -> &mut Lists {
        match rule {
            Rule::Id(id) => &mut self.0.named.entry(id.as_str().into()).or_default().itself,
            Rule::Below(id) => {
                self.0.deepest = self.0.deepest.max(id.path().matches('/').count());
                &mut self.0.named.entry(id.as_str().into()).or_default().below
            }
            Rule::TrustDomain(domain) => {
                let uri = format!("spiffe://{domain}");
                &mut self.0.named.entry(uri.into()).or_default().below
            }
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("named", &self.named.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(uri: &str) -> SpiffeId {
        SpiffeId::new(uri).unwrap()
    }

    #[test]
    fn nobody_may_call_whom_no_rule_allows() {
        let policy = Policy::builder().build();
        assert_eq!(policy.decide(&id("spiffe://td/a")), Decision::Unlisted);
        let policy = Policy::builder().allow(Rule::Id(id("spiffe://td/a"))).build();
        for other in ["spiffe://td", "spiffe://td/a/b", "spiffe://td/A", "spiffe://t/a"] {
            assert_eq!(policy.decide(&id(other)), Decision::Unlisted);
        }
        assert_eq!(policy.decide(&id("spiffe://td/a")), Decision::Allowed("spiffe://td/a"));
    }

    #[test]
    fn below_is_by_whole_segments() {
        let policy = Policy::builder().allow(Rule::Below(id("spiffe://td/ns/a"))).build();
        for inside in ["spiffe://td/ns/a", "spiffe://td/ns/a/sa", "spiffe://td/ns/a/sa/b"] {
            assert_eq!(policy.decide(&id(inside)), Decision::Allowed("spiffe://td/ns/a"));
        }
        for outside in ["spiffe://td/ns", "spiffe://td/ns/ab", "spiffe://td/ns/b/a"] {
            assert!(!policy.allows(&id(outside)), "{outside}");
        }
    }

    #[test]
    fn a_denial_wins_over_what_is_more_specific() {
        let policy = Policy::builder()
            .allow(Rule::Id(id("spiffe://td/a/b")))
            .allow(Rule::Below(id("spiffe://td/c")))
            .deny(Rule::Below(id("spiffe://td/a")))
            .deny(Rule::Id(id("spiffe://td/c/d")))
            .build();
        assert_eq!(policy.decide(&id("spiffe://td/a/b")), Decision::Denied("spiffe://td/a"));
        assert_eq!(policy.decide(&id("spiffe://td/c/d")), Decision::Denied("spiffe://td/c/d"));
        assert_eq!(policy.decide(&id("spiffe://td/c/d/e")), Decision::Allowed("spiffe://td/c"));
    }

    #[test]
    fn a_trust_domain_is_what_is_below_its_own_identity() {
        for rule in
            [Rule::TrustDomain(TrustDomain::new("td").unwrap()), Rule::Below(id("spiffe://td"))]
        {
            let policy = Policy::builder().allow(rule).build();
            assert!(policy.allows(&id("spiffe://td")) && policy.allows(&id("spiffe://td/a/b")));
            assert!(!policy.allows(&id("spiffe://td.x/a")));
        }
    }

    /// The rules said again, one by one.
    fn matches(rule: &Rule, id: &SpiffeId) -> bool {
        match rule {
            Rule::Id(named) => named == id,
            Rule::Below(top) => id == top || id.as_str().starts_with(&format!("{}/", top.as_str())),
            Rule::TrustDomain(domain) => id.trust_domain() == *domain,
        }
    }

    /// Few names, so that many rules are about the same.
    fn ids() -> impl Strategy<Value = SpiffeId> {
        ("[ab]{1,2}", prop::collection::vec("[ab]{1,2}", 0..4)).prop_map(|(domain, path)| {
            let path: String = path.iter().map(|segment| format!("/{segment}")).collect();
            id(&format!("spiffe://{domain}{path}"))
        })
    }

    fn rules() -> impl Strategy<Value = Vec<Rule>> {
        let rule = prop_oneof![
            ids().prop_map(Rule::Id),
            ids().prop_map(Rule::Below),
            ids().prop_map(|id| Rule::TrustDomain(id.trust_domain())),
        ];
        prop::collection::vec(rule, 0..8)
    }

    proptest! {
        #[test]
        fn the_table_decides_as_the_rules_one_by_one_do(
            allow in rules(),
            deny in rules(),
            asked in prop::collection::vec(ids(), 1..20),
        ) {
            let builder = allow.iter().cloned().fold(Policy::builder(), PolicyBuilder::allow);
            let policy = deny.iter().cloned().fold(builder, PolicyBuilder::deny).build();
            for id in asked {
                let denied = deny.iter().any(|rule| matches(rule, &id));
                let allowed = allow.iter().any(|rule| matches(rule, &id));
                let decision = policy.decide(&id);
                prop_assert_eq!(matches!(decision, Decision::Denied(_)), denied);
                prop_assert_eq!(policy.allows(&id), allowed && !denied);
            }
        }
    }
}
