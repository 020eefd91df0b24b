//! Messages: MessagePack for the small things, attachments for pixels.
//!
//! A request or a reply is one MessagePack map with named fields (so that either side may be newer) and a
//! list of byte buffers. An [`Image`](crate::Image) inside the message holds only its size and the index of its
//! buffer. The same pair crosses the in-process ABI (buffers by reference) and a worker's socket (buffers through
//! shared memory), which is why both give the same results. Shared buffers are attached once, however often
//! a batch names them.

use crate::{ErrorKind, PluginError, Result};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;

/// An encoded message and the buffers that it refers to by index.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// MessagePack, maps with field names.
    pub body: Vec<u8>,
    /// Buffers, in the order of their indices.
    pub attachments: Vec<Bytes>,
}

thread_local! {
    /// The buffers of the message that this thread is encoding or decoding. Serde hands no context to
    /// `Serialize`, and threading one through every type by hand would put the codec into the contract.
    static ATTACHMENTS: RefCell<Option<Vec<Bytes>>> = const { RefCell::new(None) };
}

/// Runs `work` with `attachments` in scope and gives back what is in scope at its end, also after a panic.
fn scoped<T>(attachments: Vec<Bytes>, work: impl FnOnce() -> T) -> (T, Vec<Bytes>) {
    struct Restore(Option<Vec<Bytes>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ATTACHMENTS.with(|slot| *slot.borrow_mut() = self.0.take());
        }
    }
    let outer = ATTACHMENTS.with(|slot| slot.borrow_mut().replace(attachments));
    let restore = Restore(outer);
    let value = work();
    let inner = ATTACHMENTS.with(|slot| slot.borrow_mut().take()).unwrap_or_default();
    drop(restore);
    (value, inner)
}

/// Adds a buffer to the message being encoded on this thread and gives its index.
pub(crate) fn attach(bytes: &Bytes) -> Result<u32, &'static str> {
    ATTACHMENTS.with(|slot| {
        let mut slot = slot.borrow_mut();
        let list = slot.as_mut().ok_or("an image can be serialised only inside a message of the contract")?;
        let known = list.iter().position(|b| b.as_ptr() == bytes.as_ptr() && b.len() == bytes.len());
        let index = known.unwrap_or_else(|| {
            list.push(bytes.clone());
            list.len() - 1
        });
        u32::try_from(index).map_err(|_| "too many attachments")
    })
}

/// The buffer with this index in the message being decoded on this thread.
pub(crate) fn attachment(index: u32) -> Result<Bytes, String> {
    ATTACHMENTS.with(|slot| {
        let slot = slot.borrow();
        let list = slot.as_ref().ok_or("an image can be read only inside a message of the contract")?;
        list.get(index as usize)
            .cloned()
            .ok_or_else(|| format!("attachment {index} of {} is not there", list.len()))
    })
}

/// Encodes a value and collects its buffers.
///
/// # Errors
/// `ContractViolation` when the value cannot be encoded.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Message> {
    let mut body = Vec::with_capacity(512);
    let (outcome, attachments) = scoped(Vec::new(), || {
        let mut serializer = rmp_serde::Serializer::new(&mut body).with_struct_map();
        value.serialize(&mut serializer)
    });
    outcome.map_err(|e| PluginError::violation(format!("a message cannot be encoded: {e}")))?;
    Ok(Message { body, attachments })
}

/// Decodes a value; its images refer to the message's buffers without a copy.
///
/// # Errors
/// `ContractViolation` when the bytes are not such a value, or an image does not fit its buffer.
pub fn decode<T: DeserializeOwned>(message: Message) -> Result<T> {
    let Message { body, attachments } = message;
    let (outcome, _) = scoped(attachments, || rmp_serde::from_slice(&body));
    outcome
        .map_err(|e| PluginError::new(ErrorKind::ContractViolation, format!("a message cannot be read: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Image;

    #[test]
    fn an_image_travels_without_a_copy_and_once() {
        let image = Image::from(image::RgbaImage::from_pixel(3, 2, image::Rgba([1, 2, 3, 4])));
        let message = encode(&vec![image.clone(), image.clone()]).unwrap();
        assert_eq!(message.attachments.len(), 1);
        let back: Vec<Image> = decode(message).unwrap();
        assert_eq!(back[0], image);
        assert_eq!(back[1].bytes().as_ptr(), image.bytes().as_ptr());
    }

    #[test]
    fn an_image_outside_a_message_is_refused() {
        let image = Image::from(image::RgbImage::new(1, 1));
        assert!(rmp_serde::to_vec(&image).is_err());
    }

    #[test]
    fn a_missing_or_short_attachment_is_named() {
        let image = Image::from(image::RgbImage::new(4, 4));
        let mut message = encode(&image).unwrap();
        message.attachments[0] = Bytes::from_static(&[0; 5]);
        let error = decode::<Image>(message.clone()).unwrap_err();
        assert!(error.message.contains("carries 5 bytes"), "{error}");
        message.attachments.clear();
        assert!(decode::<Image>(message).unwrap_err().message.contains("attachment 0 of 0"));
    }
}
