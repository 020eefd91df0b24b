//! Event files that `TensorBoard` reads: records of TensorFlow's framing, each a protocol buffer of a scalar summary.
//!
//! Three messages with five fields in all are written here by hand; the crates that do it bring a compiler of protocol
//! buffers or an old runtime with them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// A file of events.
pub struct EventFile(File);

impl EventFile {
    /// A new file in the folder; `TensorBoard` reads all files of a folder as one run, so a resumed training adds one.
    ///
    /// # Errors
    /// The system's.
    pub fn create(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let now = seconds();
        let name = format!("events.out.tfevents.{}.adeval.{}", now as u64, std::process::id());
        let mut file = Self(OpenOptions::new().create(true).append(true).open(folder.join(name))?);
        let mut event = double(1, now);
        event.extend(bytes(3, b"brain.Event:2"));
        file.record(&event)?;
        Ok(file)
    }

    /// Adds scalars at a step.
    ///
    /// # Errors
    /// The system's.
    pub fn scalars(&mut self, step: u64, values: &BTreeMap<String, f64>) -> io::Result<()> {
        let mut summary = Vec::new();
        for (name, value) in values {
            let mut one = bytes(1, name.as_bytes());
            one.push(field(2, 5));
            one.extend((*value as f32).to_le_bytes());
            summary.extend(bytes(1, &one));
        }
        let mut event = double(1, seconds());
        event.push(field(2, 0));
        event.extend(varint(step));
        event.extend(bytes(5, &summary));
        self.record(&event)
    }

    fn record(&mut self, data: &[u8]) -> io::Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut framed = length.to_vec();
        framed.extend(masked_crc(&length).to_le_bytes());
        framed.extend(data);
        framed.extend(masked_crc(data).to_le_bytes());
        self.0.write_all(&framed)
    }
}

fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The key of a field: its number and its wire type, for numbers below 16.
fn field(number: u8, wire: u8) -> u8 {
    number << 3 | wire
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn bytes(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![field(number, 2)];
    out.extend(varint(value.len() as u64));
    out.extend(value);
    out
}

fn double(number: u8, value: f64) -> Vec<u8> {
    let mut out = vec![field(number, 1)];
    out.extend(value.to_le_bytes());
    out
}

/// The checksum of TensorFlow's records, rotated so that a checksum of data with checksums in it is no special case.
fn masked_crc(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32C (Castagnoli), bit by bit: a step writes a few hundred bytes.
fn crc32c(data: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ POLYNOMIAL } else { crc >> 1 };
    !data.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4, and the customary check value.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn records_are_framed_and_hold_the_scalars() {
        let room = tempfile::tempdir().unwrap();
        let mut file = EventFile::create(room.path()).unwrap();
        file.scalars(300, &BTreeMap::from([("loss".to_owned(), 0.25)])).unwrap();
        let path = std::fs::read_dir(room.path()).unwrap().next().unwrap().unwrap().path();
        let bytes = std::fs::read(path).unwrap();
        let (mut at, mut records) = (0, Vec::new());
        while at < bytes.len() {
            let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
            let data = &bytes[at + 12..at + 12 + length];
            let crc = |from: usize| u32::from_le_bytes(bytes[from..from + 4].try_into().unwrap());
            assert_eq!(crc(at + 8), masked_crc(&bytes[at..at + 8]));
            assert_eq!(crc(at + 12 + length), masked_crc(data));
            records.push(data.to_vec());
            at += 16 + length;
        }
        assert_eq!(records.len(), 2);
        assert!(records[0].ends_with(b"brain.Event:2"));
        // Step 300 as a varint, then summary, value, tag "loss", and 0.25 as a float.
        let wanted =
            [&[0x10, 0xac, 0x02, 0x2a, 0x0d, 0x0a, 0x0b, 0x0a, 0x04][..], b"loss", &[0x15, 0, 0, 0x80, 0x3e]]
                .concat();
        assert!(records[1].ends_with(&wanted), "{:x?}", records[1]);
    }
}
