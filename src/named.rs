//! Enumerations whose values have stable names, read from and written to text.
//!
//! CPU features, algorithms and backends all appear in environment variables, in command lines, in
//! plan files and in tables; a name means the same everywhere, and an unknown one is answered with
//! the list of the known ones.

/// Defines a fieldless enum with `ALL`, `name()`, `Display`, `FromStr` and serde by name.
macro_rules! named_enum {
    (
        $(#[$meta:meta])*
        pub enum $type:ident, $what:literal {
            $($(#[$variant_meta:meta])* $variant:ident = $name:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $type {
            /// Every value, in the order of the tables.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable name, as in the environment, in plan files and in tables.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::Error;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.name() == name).ok_or_else(|| {
                    $crate::Error::UnknownName {
                        what: $what,
                        name: name.to_owned(),
                        known: $crate::named::list(Self::ALL),
                    }
                })
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::Error;

            fn try_from(name: String) -> Result<Self, Self::Error> {
                name.parse()
            }
        }

        impl From<$type> for &'static str {
            fn from(value: $type) -> Self {
                value.name()
            }
        }
    };
}

pub(crate) use named_enum;

/// The values' names, separated by ", "; "none" if there are none.
pub(crate) fn list<'a, T: std::fmt::Display + 'a>(
    values: impl IntoIterator<Item = &'a T>,
) -> String {
    let names: Vec<_> = values.into_iter().map(ToString::to_string).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
