//! The bytes of a worker's socket: whatever arrives is frames or a refusal, and a frame that was read can be sent again.

use adeval_host::plugin::protocol::{FrameReader, ReadError, encode};
use std::io::{self, Read};

/// Gives a few bytes at a time, as a socket does: the first byte of the input says how many.
struct Socket<'a> {
    rest: &'a [u8],
    most: usize,
}

impl Read for Socket<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let n = self.rest.len().min(self.most).min(into.len());
        into[..n].copy_from_slice(&self.rest[..n]);
        self.rest = &self.rest[n..];
        Ok(n)
    }
}

/// Tries one input.
///
/// # Panics
/// When the host would misbehave on it.
pub fn run(data: &[u8]) {
    let Some((&most, rest)) = data.split_first() else { return };
    let mut socket = Socket { rest, most: usize::from(most).max(1) };
    let mut reader = FrameReader::default();
    loop {
        match reader.poll(&mut socket) {
            Ok(Some(frame)) => {
                let bytes = encode(&frame).expect("a frame that fitted fits again");
                let again = FrameReader::default().poll(&mut bytes.as_slice());
                // Compared as text: NaN is not equal to itself.
                let again = again.expect("what we wrote can be read").expect("it is whole");
                assert_eq!(format!("{again:?}"), format!("{frame:?}"));
            }
            Ok(None) => unreachable!("this socket never times out"),
            Err(ReadError::Closed | ReadError::Malformed(_)) => return,
            Err(ReadError::Io(e)) => panic!("this socket never fails: {e}"),
        }
    }
}
