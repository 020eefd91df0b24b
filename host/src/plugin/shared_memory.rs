//! Pixels between processes: anonymous segments that the peer opens by path.
//!
//! The host writes a call's attachments into its segment; the worker maps it read-only and hands out slices without
//! a copy. When the component keeps one of them past the call, the worker says so and the host takes a new segment.
//! In the other direction the host copies out of the worker's segment at once: a worker that changes or truncates
//! it later can then neither change pixels nor raise SIGBUS in the host.

use super::protocol::{MAX_ATTACHMENTS, Slice};
use bytes::Bytes;
use memmap2::Mmap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::sync::Arc;

const ALIGNMENT: u64 = 64;
const SMALLEST: u64 = 1 << 20;

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// Memory that this process writes and another one reads.
pub struct Segment {
    file: File,
    capacity: u64,
    path: String,
    /// Where there is no memfd, the file behind the path lives as long as the segment.
    #[cfg(not(target_os = "linux"))]
    _file: tempfile::TempPath,
}

impl Segment {
    /// A segment of at least `bytes` bytes; sizes are powers of two, so that slightly larger calls fit too.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn create(bytes: u64) -> io::Result<Self> {
        let capacity = bytes.max(SMALLEST).next_power_of_two();
        let segment = Self::anonymous(capacity)?;
        segment.file.set_len(capacity)?;
        Ok(segment)
    }

    #[cfg(target_os = "linux")]
    fn anonymous(capacity: u64) -> io::Result<Self> {
        use std::os::fd::AsRawFd;
        let fd = rustix::fs::memfd_create("adeval", rustix::fs::MemfdFlags::CLOEXEC)?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), fd.as_raw_fd());
        Ok(Self { file: fd.into(), capacity, path })
    }

    #[cfg(not(target_os = "linux"))]
    fn anonymous(capacity: u64) -> io::Result<Self> {
        let (file, temporary) = tempfile::NamedTempFile::with_prefix("adeval-segment-")?.into_parts();
        let path = temporary
            .to_str()
            .ok_or_else(|| invalid("the temporary directory is not UTF-8".into()))?
            .to_owned();
        Ok(Self { file, capacity, path, _file: temporary })
    }

    /// The path by which the peer opens it.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// Keeps one segment and writes the attachments of one message at a time into it.
#[derive(Default)]
pub struct Pool(Option<Segment>);

impl Pool {
    /// Writes attachments and says where they are. What the pool wrote before is overwritten.
    ///
    /// # Errors
    /// When they exceed [`MAX_ATTACHMENTS`], or there is no memory.
    pub fn put(&mut self, attachments: &[Bytes]) -> io::Result<Vec<Slice>> {
        if attachments.is_empty() {
            return Ok(Vec::new());
        }
        let mut end = 0_u64;
        let offsets: Vec<u64> = attachments
            .iter()
            .map(|bytes| {
                let offset = end.next_multiple_of(ALIGNMENT);
                end = offset.saturating_add(bytes.len() as u64);
                offset
            })
            .collect();
        if end > MAX_ATTACHMENTS {
            let (mib, most) = (end >> 20, MAX_ATTACHMENTS >> 20);
            return Err(invalid(format!(
                "{mib} MiB of images in one message exceed {most} MiB; use smaller batches"
            )));
        }
        if self.0.as_ref().is_none_or(|s| s.capacity < end) {
            self.0 = Some(Segment::create(end)?);
        }
        let Some(segment) = &self.0 else { return Ok(Vec::new()) };
        let place = |(bytes, offset): (&Bytes, u64)| {
            segment.file.write_all_at(bytes, offset)?;
            Ok(Slice { segment: segment.path.clone(), offset, len: bytes.len() as u64 })
        };
        attachments.iter().zip(offsets).map(place).collect()
    }

    /// Gives up the segment if it is among those that the peer still reads.
    pub fn release(&mut self, retained: &[String]) {
        if self.0.as_ref().is_some_and(|s| retained.contains(&s.path)) {
            self.0 = None;
        }
    }
}

/// Opens a peer's segment. A peer can name any path: only regular files are read, and a pipe cannot block the call.
fn open(path: &str) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(invalid(format!("the segment {path} is not a file")));
    }
    Ok(file)
}

fn check(slice: &Slice, size: u64) -> io::Result<()> {
    let inside = slice.offset.checked_add(slice.len).is_some_and(|end| end <= size);
    if inside {
        return Ok(());
    }
    let Slice { segment, offset, len } = slice;
    Err(invalid(format!(
        "bytes {offset} to {offset}+{len} are outside the segment {segment} of {size} bytes"
    )))
}

/// Copies attachments out of the peer's segments.
///
/// # Errors
/// When they are too large, or not inside the segments that they name.
pub fn copy_out(slices: &[Slice]) -> io::Result<Vec<Bytes>> {
    let total = slices.iter().try_fold(0_u64, |sum, s| sum.checked_add(s.len));
    if total.is_none_or(|t| t > MAX_ATTACHMENTS) {
        return Err(invalid(format!("the attachments exceed {} MiB", MAX_ATTACHMENTS >> 20)));
    }
    let mut last: Option<(&str, File)> = None;
    let mut out = Vec::with_capacity(slices.len());
    for slice in slices {
        let file = match last.take() {
            Some((path, file)) if path == slice.segment => file,
            _ => open(&slice.segment)?,
        };
        check(slice, file.metadata()?.len())?;
        let buffer = read(&file, slice)?;
        out.push(buffer.into());
        last = Some((&slice.segment, file));
    }
    Ok(out)
}

/// Reads a slice into memory that nobody has to clear first, which would cost as much as the copy.
fn read(file: &File, slice: &Slice) -> io::Result<Vec<u8>> {
    let len = usize::try_from(slice.len).map_err(|e| invalid(e.to_string()))?;
    let mut buffer = Vec::with_capacity(len);
    while buffer.len() < len {
        let at = slice.offset + buffer.len() as u64;
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut buffer), at) {
            Ok(0) => return Err(invalid(format!("the segment {} shrank while it was read", slice.segment))),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    // The allocator may have given more room than was asked for.
    buffer.truncate(len);
    Ok(buffer)
}

/// A peer's segment in this process's memory.
struct Mapping {
    path: String,
    /// Device and inode: a path under /proc can name another segment later.
    identity: (u64, u64),
    memory: Mmap,
}

/// Part of a mapping, which it keeps alive.
struct View {
    mapping: Arc<Mapping>,
    start: usize,
    end: usize,
}

impl AsRef<[u8]> for View {
    fn as_ref(&self) -> &[u8] {
        &self.mapping.memory[self.start..self.end]
    }
}

/// The segments of the host that a worker has mapped.
#[derive(Default)]
pub struct Mappings(Vec<Arc<Mapping>>);

impl Mappings {
    /// The attachments of a call, without a copy. Mappings that this call does not name are let go.
    ///
    /// # Errors
    /// When a slice is not inside the segment that it names.
    pub fn view(&mut self, slices: &[Slice]) -> io::Result<Vec<Bytes>> {
        let mut used: Vec<Arc<Mapping>> = Vec::new();
        let mut out = Vec::with_capacity(slices.len());
        for slice in slices {
            let mapping = match used.iter().find(|m| m.path == slice.segment) {
                Some(mapping) => Arc::clone(mapping),
                None => {
                    let mapping = self.map(&slice.segment)?;
                    used.push(Arc::clone(&mapping));
                    mapping
                }
            };
            check(slice, mapping.memory.len() as u64)?;
            let start = usize::try_from(slice.offset).map_err(|e| invalid(e.to_string()))?;
            let end = start + usize::try_from(slice.len).map_err(|e| invalid(e.to_string()))?;
            out.push(Bytes::from_owner(View { mapping, start, end }));
        }
        self.0 = used;
        Ok(out)
    }

    fn map(&self, path: &str) -> io::Result<Arc<Mapping>> {
        let file = open(path)?;
        let metadata = file.metadata()?;
        let identity = (metadata.dev(), metadata.ino());
        if let Some(known) = self.0.iter().find(|m| m.identity == identity && m.path == path) {
            return Ok(Arc::clone(known));
        }
        // SAFETY: the host neither truncates a segment nor writes to it while a view of it is alive: it waits for
        // the call's end, and gives up segments that `retained` names.
        let memory = unsafe { Mmap::map(&file)? };
        Ok(Arc::new(Mapping { path: path.to_owned(), identity, memory }))
    }

    /// Forgets the segments of which a view is still alive, and names them.
    pub fn retained(&mut self) -> Vec<String> {
        let kept = |m: &Arc<Mapping>| Arc::strong_count(m) > 1;
        let names = self.0.iter().filter(|m| kept(m)).map(|m| m.path.clone()).collect();
        self.0.retain(|m| !kept(m));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(value: u8, len: usize) -> Bytes {
        vec![value; len].into()
    }

    #[test]
    fn attachments_cross_aligned_and_the_segment_is_used_again() {
        let (mut pool, mut maps) = (Pool::default(), Mappings::default());
        let first = pool.put(&[bytes(1, 5), bytes(2, 100), bytes(3, 0)]).unwrap();
        assert!(first.iter().all(|s| s.offset % ALIGNMENT == 0));
        let views = maps.view(&first).unwrap();
        assert_eq!((&views[0][..], &views[1][..], views[2].len()), (&[1; 5][..], &[2; 100][..], 0));
        drop(views);
        assert!(maps.retained().is_empty());
        let second = pool.put(&[bytes(9, 5)]).unwrap();
        assert_eq!(second[0].segment, first[0].segment);
        assert_eq!(maps.view(&second).unwrap()[0], bytes(9, 5));
    }

    #[test]
    fn a_retained_segment_is_never_written_again() {
        let (mut pool, mut maps) = (Pool::default(), Mappings::default());
        let first = pool.put(&[bytes(1, 64)]).unwrap();
        let kept = maps.view(&first).unwrap()[0].slice(3..9);
        let retained = maps.retained();
        assert_eq!(retained, [first[0].segment.clone()]);
        pool.release(&retained);
        // The path may come back (a descriptor's number is free again), the memory must not.
        let second = pool.put(&[bytes(2, 64)]).unwrap();
        assert_eq!(maps.view(&second).unwrap()[0], bytes(2, 64));
        assert_eq!(kept, bytes(1, 6));
    }

    #[test]
    fn a_segment_grows_with_its_messages() {
        let mut pool = Pool::default();
        pool.put(&[bytes(1, 10)]).unwrap();
        let large = bytes(7, 3 << 20);
        let slices = pool.put(&[bytes(1, 10), large.clone()]).unwrap();
        assert_eq!(copy_out(&slices).unwrap()[1], large);
    }

    #[test]
    fn lies_about_slices_are_refused_before_memory_is_taken() {
        let mut pool = Pool::default();
        let honest = pool.put(&[bytes(1, 10)]).unwrap().remove(0);
        let lie = |offset, len| Slice { offset, len, ..honest.clone() };
        assert!(copy_out(&[lie(0, 1 << 40)]).unwrap_err().to_string().contains("exceed"));
        assert!(copy_out(&[lie(0, u64::MAX), lie(0, 2)]).is_err());
        let outside = copy_out(&[lie(SMALLEST - 1, 2)]).unwrap_err().to_string();
        assert!(outside.contains("outside the segment"), "{outside}");
        assert!(copy_out(&[lie(u64::MAX, 1)]).is_err());
        let device = Slice { segment: "/dev/zero".into(), ..honest };
        assert!(copy_out(&[device]).unwrap_err().to_string().contains("is not a file"));
    }
}
