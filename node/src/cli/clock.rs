//! The time, as the command line takes it from the machine.

use hutong_protocol::time::Timestamp;

/// Now, by this machine's clock.
pub fn now() -> Timestamp {
    let millis = jiff::Timestamp::now().as_millisecond();
    Timestamp::from_millis(u64::try_from(millis).unwrap_or(0))
}
