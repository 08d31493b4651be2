//! How protocols declare their anomalies.

/// Declares the events of a protocol and their names side by side, so that they cannot drift apart: an enum
/// `Event` of indices into `EVENTS`.
macro_rules! events {
    ($visible:vis, $($(#[$doc:meta])* $variant:ident => $name:literal,)*) => {
        /// An anomaly; an index into [`EVENTS`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        $visible enum Event { $($(#[$doc])* $variant,)* }

        /// Names of [`Event`], in order.
        $visible const EVENTS: &[&str] = &[$($name,)*];
    };
}

pub(in crate::app_layer) use events;
