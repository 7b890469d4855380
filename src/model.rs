//! The vocabulary that all parts share, as plain values.
//!
//! Pure: nothing here does I/O, reads a clock or knows a foreign type. Whatever comes from
//! outside is normalised once when a value of this module is made, so that comparing is `==`.

pub mod by_name;
pub mod change;
pub mod custom;
pub mod grant;
pub mod heritage;
pub mod instance;
pub mod name;
pub mod object;
pub mod objects;
pub mod observation;
pub(crate) mod packed;
pub mod record;
pub mod shard;
pub mod share;
pub mod suspects;
pub mod table;
pub mod text;
pub mod text_map;
pub mod values;
pub mod version;
pub mod want;
pub mod workload;
pub mod zone;

pub use heritage::Heritage;
pub use name::DomainName;
pub use object::ObjectRef;
pub use objects::Objects;
pub use record::{AliasTarget, Content, RecordKey, RecordSet, RecordType, Routing, Value};
pub use text_map::TextMap;
pub use values::Values;
pub use version::Version;
pub use zone::{HostedZone, ZoneId};
