//! The frames between the host and a worker; `docs/protocol.md` writes them down for other languages.
//!
//! A frame is a little-endian `u32` length and that many bytes of MessagePack: a map with one entry, the frame's
//! kind, whose value is a map of named fields. Unknown fields are ignored, so a minor version can add some. Neither
//! side believes a length: frames are capped, and memory grows only with the bytes that really arrive.

use adeval_sdk::PluginError;
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Write};

/// The version of the protocol; it changes when a frame's meaning does.
pub const PROTOCOL: u32 = 1;

/// The most bytes in one frame.
pub const MAX_FRAME: usize = 64 << 20;

/// The most bytes of attachments in one call or one reply.
pub const MAX_ATTACHMENTS: u64 = 1 << 30;

/// A run of bytes inside a shared segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// A path by which the reader can open the segment.
    pub segment: String,
    /// First byte.
    pub offset: u64,
    /// Number of bytes.
    pub len: u64,
}

/// One frame. JSON documents travel as JSON text, so that numbers arrive exactly as the schema saw them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frame {
    /// Worker -> host, first of all.
    Hello {
        /// [`PROTOCOL`] of the worker.
        protocol: u32,
        /// The worker's process id.
        pid: u32,
    },
    /// Host -> worker: load this library.
    Load {
        /// Identifies the answer.
        id: u64,
        /// Path of the library.
        library: String,
    },
    /// Worker -> host: the library is loaded.
    Loaded {
        /// Of the `Load`.
        id: u64,
        /// The manifest as JSON.
        manifest: String,
    },
    /// Host -> worker: make a component of the loaded library.
    Create {
        /// Identifies the answer.
        id: u64,
        /// The component's id.
        component: String,
        /// Its parameters as JSON.
        parameters: String,
        /// Its environment as JSON.
        environment: String,
    },
    /// Worker -> host: the component lives.
    Created {
        /// Of the `Create`.
        id: u64,
        /// Names it in calls.
        instance: u64,
    },
    /// Host -> worker: call a method.
    Call {
        /// Identifies the answer.
        id: u64,
        /// From `Created`.
        instance: u64,
        /// One of [`adeval_sdk::endpoint::method`].
        method: String,
        /// MessagePack of the request.
        #[serde(with = "serde_bytes")]
        body: Vec<u8>,
        /// The request's buffers by index.
        attachments: Vec<Slice>,
    },
    /// Host -> worker: end this call early. It is still answered.
    Cancel {
        /// Of the `Call`.
        id: u64,
    },
    /// Worker -> host, any number of times before the answer.
    Progress {
        /// Of the `Call`.
        id: u64,
        /// From 0 to 1.
        fraction: f32,
        /// A few words.
        note: String,
    },
    /// Worker -> host: the answer of a call.
    Reply {
        /// Of the `Call`.
        id: u64,
        /// MessagePack of the reply.
        #[serde(with = "serde_bytes")]
        body: Vec<u8>,
        /// The reply's buffers by index.
        attachments: Vec<Slice>,
        /// State of the process.
        #[serde(flatten)]
        after: After,
    },
    /// Worker -> host: this is the answer instead of `Loaded`, `Created` or `Reply`.
    Failed {
        /// Of the request.
        id: u64,
        /// Why.
        error: PluginError,
        /// State of the process.
        #[serde(flatten)]
        after: After,
    },
}

/// What a worker tells with every answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct After {
    /// Segments of the call that the component still refers to: the host must not write to them again.
    #[serde(default)]
    pub retained: Vec<String>,
    /// Largest resident memory of the process so far, in bytes; 0 where unknown.
    #[serde(default)]
    pub peak_rss: u64,
    /// CPU time of the process so far, in seconds.
    #[serde(default)]
    pub cpu_seconds: f64,
}

/// Why no frame can be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The peer closed its end.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer does not follow the protocol.
    #[error("{0}")]
    Malformed(String),
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Encodes a frame with its length.
///
/// # Errors
/// When the frame exceeds [`MAX_FRAME`].
pub fn encode(frame: &Frame) -> Result<Vec<u8>, String> {
    let mut bytes = vec![0; 4];
    frame
        .serialize(&mut rmp_serde::Serializer::new(&mut bytes).with_struct_map())
        .map_err(|e| format!("a frame cannot be encoded: {e}"))?;
    let len = bytes.len() - 4;
    if len > MAX_FRAME {
        return Err(format!("a message of {} MiB exceeds the {} MiB of a frame", len >> 20, MAX_FRAME >> 20));
    }
    let prefix = u32::try_from(len).map_err(|e| e.to_string())?;
    bytes[..4].copy_from_slice(&prefix.to_le_bytes());
    Ok(bytes)
}

/// Encodes and writes a frame.
///
/// # Errors
/// `InvalidInput` for a frame beyond [`MAX_FRAME`], of which nothing is written; else what the socket says.
pub fn write(to: &mut impl Write, frame: &Frame) -> io::Result<()> {
    let bytes = encode(frame).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    to.write_all(&bytes)
}

/// Puts frames together from a stream that may time out between any two bytes.
#[derive(Default)]
pub struct FrameReader {
    buffer: Vec<u8>,
    start: usize,
}

impl FrameReader {
    /// The next frame, or `None` when the stream's own read timeout passed first.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn poll(&mut self, from: &mut impl Read) -> Result<Option<Frame>, ReadError> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            match self.fill(from) {
                Ok(0) => return Err(ReadError::Closed),
                Ok(_) => {}
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                    return Ok(None);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return Err(ReadError::Closed),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// A whole frame from the buffer.
    fn take(&mut self) -> Result<Option<Frame>, ReadError> {
        let pending = &self.buffer[self.start..];
        let Some((prefix, rest)) = pending.split_first_chunk::<4>() else { return Ok(None) };
        let len = u32::from_le_bytes(*prefix) as usize;
        if len > MAX_FRAME {
            return Err(ReadError::Malformed(format!(
                "a frame of {len} bytes exceeds the {MAX_FRAME} allowed"
            )));
        }
        let Some(payload) = rest.get(..len) else { return Ok(None) };
        let frame = rmp_serde::from_slice(payload)
            .map_err(|e| ReadError::Malformed(format!("a frame of {len} bytes cannot be read: {e}")))?;
        self.start += 4 + len;
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
            self.buffer.shrink_to(1 << 20);
        }
        Ok(Some(frame))
    }

    fn fill(&mut self, from: &mut impl Read) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let mut chunk = [0; 16 << 10];
        let n = from.read(&mut chunk)?;
        self.buffer.extend_from_slice(&chunk[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adeval_sdk::ErrorKind;

    /// Gives one byte a read, and a timeout between any two.
    struct Trickle<'a>(&'a [u8], bool);

    impl Read for Trickle<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let n = self.0.len().min(1);
            into[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn frames() -> Vec<Frame> {
        let slice = Slice { segment: "/proc/1/fd/3".into(), offset: 64, len: 1 << 20 };
        let after = After { retained: vec!["/proc/1/fd/3".into()], peak_rss: 5 << 20, cpu_seconds: 0.25 };
        vec![
            Frame::Hello { protocol: PROTOCOL, pid: 7 },
            Frame::Create {
                id: 1,
                component: "x".into(),
                parameters: "{\"a\":1.0}".into(),
                environment: "{}".into(),
            },
            Frame::Call {
                id: 2,
                instance: 0,
                method: "m".into(),
                body: vec![0, 255, 7],
                attachments: vec![slice.clone()],
            },
            Frame::Progress { id: 2, fraction: 0.5, note: "halb – ½".into() },
            Frame::Reply { id: 2, body: vec![1; 300], attachments: vec![slice], after: after.clone() },
            Frame::Failed {
                id: 3,
                error: PluginError::new(ErrorKind::OutOfMemory, "m").with_hint("h"),
                after,
            },
        ]
    }

    #[test]
    fn frames_survive_a_stream_that_trickles() {
        let bytes: Vec<u8> = frames().iter().flat_map(|f| encode(f).unwrap()).collect();
        let (mut reader, mut stream, mut got) = (FrameReader::default(), Trickle(&bytes, false), Vec::new());
        let end = loop {
            match reader.poll(&mut stream) {
                Ok(Some(frame)) => got.push(frame),
                Ok(None) => {}
                Err(e) => break e,
            }
        };
        assert!(matches!(end, ReadError::Closed));
        assert_eq!(got, frames());
    }

    #[test]
    fn a_frame_that_claims_too_much_is_refused_before_it_is_read() {
        let mut stream: &[u8] = &[0xff, 0xff, 0xff, 0xff, 1, 2];
        let error = FrameReader::default().poll(&mut stream).unwrap_err();
        assert!(matches!(&error, ReadError::Malformed(m) if m.contains("4294967295")), "{error}");
    }

    #[test]
    fn a_frame_that_is_too_big_is_not_written() {
        let frame = Frame::Call {
            id: 0,
            instance: 0,
            method: String::new(),
            body: vec![0; MAX_FRAME],
            attachments: Vec::new(),
        };
        let mut out = Vec::new();
        assert_eq!(write(&mut out, &frame).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        assert!(out.is_empty());
    }

    #[test]
    fn noise_is_malformed_and_new_fields_are_ignored() {
        let mut noise: &[u8] = &[3, 0, 0, 0, 0xc1, 0xc1, 0xc1];
        assert!(matches!(FrameReader::default().poll(&mut noise), Err(ReadError::Malformed(_))));
        let newer = serde_json::json!({"hello": {"protocol": 1, "pid": 9, "language": "python"}});
        let payload = rmp_serde::to_vec_named(&newer).unwrap();
        let mut bytes = u32::try_from(payload.len()).unwrap().to_le_bytes().to_vec();
        bytes.extend(payload);
        let frame = FrameReader::default().poll(&mut bytes.as_slice()).unwrap();
        assert_eq!(frame, Some(Frame::Hello { protocol: 1, pid: 9 }));
    }
}
