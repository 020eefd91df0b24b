//! Numbers that cross the frontier as pixels do: shared, not encoded one by one.

use crate::{Result, codec};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use std::ops::Deref;

#[cfg(target_endian = "big")]
compile_error!("the contract's buffers hold little-endian numbers, which this sdk uses in place");

/// A list of `f32`, shared: cloning it, and handing it over in the same process, copies nothing.
///
/// In a message it is a map with the index of its attachment, which holds the numbers in little-endian order.
#[derive(Clone, Default)]
pub struct Floats(Bytes);

impl Floats {
    /// `bytes` as numbers; copied only when they are not aligned.
    fn new(bytes: Bytes) -> Result<Self, String> {
        if !bytes.len().is_multiple_of(size_of::<f32>()) {
            return Err(format!("{} bytes are no whole number of f32", bytes.len()));
        }
        match bytemuck::try_cast_slice::<u8, f32>(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Ok(bytemuck::pod_collect_to_vec(&bytes).into()),
        }
    }
}

struct Owned(Vec<f32>);

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

impl From<Vec<f32>> for Floats {
    fn from(values: Vec<f32>) -> Self {
        Self(Bytes::from_owner(Owned(values)))
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // Aligned and whole by both constructors, and empty bytes are aligned by definition.
        if self.0.is_empty() { &[] } else { bytemuck::cast_slice(&self.0) }
    }
}

impl PartialEq for Floats {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl std::fmt::Debug for Floats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Floats({})", self.len())
    }
}

/// What stands for the numbers inside an encoded message.
#[derive(Serialize, Deserialize)]
struct FloatsHandle {
    attachment: u32,
}

impl Serialize for Floats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let attachment = codec::attach(&self.0).map_err(ser::Error::custom)?;
        FloatsHandle { attachment }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Floats {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let handle = FloatsHandle::deserialize(deserializer)?;
        let bytes = codec::attachment(handle.attachment).map_err(de::Error::custom)?;
        Self::new(bytes).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{decode, encode};

    #[test]
    fn numbers_travel_in_place() {
        let values = Floats::from(vec![1.5, -2.0, f32::MAX]);
        let back: Floats = decode(encode(&values).unwrap()).unwrap();
        assert_eq!(back.as_ptr(), values.as_ptr());
        assert_eq!(*back, [1.5, -2.0, f32::MAX]);
        let none: Floats = decode(encode(&Floats::default()).unwrap()).unwrap();
        assert!(none.is_empty());
    }

    #[test]
    fn numbers_at_odd_addresses_are_moved_and_torn_ones_refused() {
        let mut message = encode(&Floats::from(vec![3.25, 4.5])).unwrap();
        let plain = message.attachments[0].clone();
        for shift in 0..4 {
            let bytes = [&vec![0; shift], &plain[..]].concat();
            message.attachments[0] = Bytes::from(bytes).slice(shift..);
            assert_eq!(*decode::<Floats>(message.clone()).unwrap(), [3.25, 4.5], "shifted by {shift}");
        }
        message.attachments[0] = Bytes::from_static(&[0; 7]);
        assert!(decode::<Floats>(message).unwrap_err().message.contains("7 bytes"));
    }
}
