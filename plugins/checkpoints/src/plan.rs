//! What loading will read and hold, told before it begins.

use crate::layout::Role;
use crate::{CheckpointError, DType, ErrorKind, Layout, Result};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Formatter};
use std::path::PathBuf;
use std::str::FromStr;

/// Where a model is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU, by number.
    Cuda(usize),
    /// Apple's GPU.
    Metal,
}

impl FromStr for Device {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self> {
        let number = |rest: &str| rest.strip_prefix(':').and_then(|number| number.parse().ok());
        match text {
            "cpu" => Ok(Self::Cpu),
            "cuda" => Ok(Self::Cuda(0)),
            "metal" => Ok(Self::Metal),
            _ => text.strip_prefix("cuda").and_then(number).map(Self::Cuda).ok_or_else(|| {
                let message = format!("\"{text}\" is no device");
                CheckpointError::new(ErrorKind::Mismatch, message, "devices are cpu, cuda, cuda:N and metal")
            }),
        }
    }
}

impl Display for Device {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

/// The element types that models run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32 bits.
    F32,
    /// 16 bits, ten of them mantissa.
    F16,
    /// 16 bits, seven of them mantissa.
    Bf16,
}

impl Precision {
    /// What a device runs best: 32 bits on a processor, whose 16-bit products are far slower, 16 on a GPU.
    pub fn best_on(device: Device) -> Self {
        if device == Device::Cpu { Self::F32 } else { Self::F16 }
    }

    /// Bytes of a number.
    pub fn bytes(self) -> u64 {
        if self == Self::F32 { 4 } else { 2 }
    }
}

impl Display for Precision {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        })
    }
}

impl FromStr for Precision {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "f32" => Ok(Self::F32),
            "f16" => Ok(Self::F16),
            "bf16" => Ok(Self::Bf16),
            _ => {
                let message = format!("\"{text}\" is no element type of a model");
                Err(CheckpointError::new(ErrorKind::Mismatch, message, "types are f32, f16 and bf16"))
            }
        }
    }
}

/// Files that the table of a plan names; sharded checkpoints have dozens.
const SHOWN_FILES: usize = 12;

/// What will be loaded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// The path.
    pub path: PathBuf,
    /// In a few words.
    pub what: String,
    /// Where to.
    pub device: String,
    /// As what.
    pub precision: Precision,
    /// The models with weights that will be loaded.
    pub components: Vec<PlannedComponent>,
    /// Every weight file once, and its bytes.
    pub files: Vec<PlannedFile>,
    /// Bytes of all files.
    pub bytes: u64,
    /// Numbers in all models.
    pub parameters: u64,
    /// Bytes that the weights take on the device. What a forward pass needs comes on top: it grows with the picture.
    pub memory: u64,
    /// Bytes that this machine has free, for the processor.
    pub free_memory: Option<u64>,
}

/// A model of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedComponent {
    /// Its name in the layout.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The weight files.
    pub files: Vec<PathBuf>,
    /// Tensors.
    pub tensors: usize,
    /// Numbers in them.
    pub parameters: u64,
    /// Element types in the file, and how many numbers are of each.
    pub types: BTreeMap<String, u64>,
    /// Bytes of its tensors in the file.
    pub bytes: u64,
    /// Bytes on the device.
    pub memory: u64,
}

/// A weight file of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedFile {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

impl Plan {
    /// The plan of all models of a layout but its safety checker, which is never loaded. Reads headers only.
    ///
    /// # Errors
    /// For weight files that cannot be read.
    pub fn of(layout: &Layout, device: Device, precision: Option<Precision>) -> Result<Self> {
        let precision = precision.unwrap_or(Precision::best_on(device));
        let mut plan = Self {
            path: layout.path.clone(),
            what: layout.describe(),
            device: device.to_string(),
            precision,
            components: Vec::new(),
            files: Vec::new(),
            bytes: 0,
            parameters: 0,
            memory: 0,
            free_memory: if device == Device::Cpu { free_memory() } else { None },
        };
        let mut seen = BTreeSet::new();
        for component in &layout.components {
            if !component.role.has_weights()
                || matches!(component.role, Role::SafetyChecker)
                || component.files.is_empty()
            {
                continue;
            }
            let tensors = component.open()?;
            for path in tensors.file().files().filter(|path| seen.insert(path.to_path_buf())) {
                let bytes = path.metadata().map_err(|error| CheckpointError::io(path, &error))?.len();
                plan.files.push(PlannedFile { path: path.to_owned(), bytes });
            }
            let mut planned = PlannedComponent {
                name: component.name.clone(),
                role: component.role,
                files: tensors.file().files().map(Into::into).collect(),
                tensors: 0,
                parameters: 0,
                types: BTreeMap::new(),
                bytes: 0,
                memory: 0,
            };
            for info in tensors.names().filter_map(|name| tensors.get(name)) {
                planned.tensors += 1;
                planned.parameters += info.elements();
                planned.bytes += info.bytes;
                planned.memory += info.elements() * if is_float(info.dtype) { precision.bytes() } else { 8 };
                *planned.types.entry(info.dtype.to_string()).or_default() += info.elements();
            }
            plan.components.push(planned);
        }
        plan.bytes = plan.files.iter().map(|file| file.bytes).sum();
        plan.parameters = plan.components.iter().map(|component| component.parameters).sum();
        plan.memory = plan.components.iter().map(|component| component.memory).sum();
        Ok(plan)
    }

    /// Whether the weights are known not to fit.
    pub fn is_too_large(&self) -> bool {
        self.free_memory.is_some_and(|free| self.memory > free)
    }
}

fn is_float(dtype: DType) -> bool {
    matches!(dtype, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
}

/// What Linux says is available; None elsewhere.
fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// A size for people: `1.6 GiB`.
pub fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TiB")
}

/// A count for people: `859.5 M`.
pub fn count(number: u64) -> String {
    match number {
        0..10_000 => number.to_string(),
        10_000..1_000_000 => format!("{:.1} k", number as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", number as f64 / 1e6),
        _ => format!("{:.2} G", number as f64 / 1e9),
    }
}

impl Plan {
    /// A row for each component, columns aligned; at most 100 columns.
    fn table(&self) -> String {
        let mut rows =
            vec![["COMPONENT", "TENSORS", "PARAMETERS", "TYPES", "IN FILES", "IN MEMORY"].map(str::to_owned)];
        for component in &self.components {
            let types: Vec<&str> = component.types.keys().map(String::as_str).collect();
            rows.push([
                component.name.clone(),
                component.tensors.to_string(),
                count(component.parameters),
                types.join(" "),
                size(component.bytes),
                size(component.memory),
            ]);
        }
        let tensors: usize = self.components.iter().map(|component| component.tensors).sum();
        let bytes = size(self.components.iter().map(|component| component.bytes).sum());
        let memory = size(self.memory);
        rows.push(["all".into(), tensors.to_string(), count(self.parameters), String::new(), bytes, memory]);
        let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..6).map(width).collect();
        let line = |row: &[String; 6]| {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
                0 | 3 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            format!("  {}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
        };
        rows.iter().map(line).collect()
    }

    /// The weight files, the first of them by name.
    fn file_list(&self) -> String {
        let line = |file: &PlannedFile| {
            let name = file.path.strip_prefix(&self.path).ok();
            let name = name.filter(|name| name.components().next().is_some()).unwrap_or(&file.path);
            format!("  {:>10}  {}\n", size(file.bytes), name.display())
        };
        let mut lines: String = self.files.iter().take(SHOWN_FILES).map(line).collect();
        if self.files.len() > SHOWN_FILES {
            lines += &format!("  {:>10}  and {} more\n", "", self.files.len() - SHOWN_FILES);
        }
        lines
    }
}

impl Plan {
    /// The plan in one line, for logs and progress.
    pub fn summary(&self) -> String {
        format!("{}: {}; {}", self.path.display(), self.what, self.totals())
    }

    /// Files, bytes, type, device and memory.
    fn totals(&self) -> String {
        let files =
            if self.files.len() == 1 { "1 file".into() } else { format!("{} files", self.files.len()) };
        let (bytes, memory) = (size(self.bytes), size(self.memory));
        let (precision, device) = (self.precision, &self.device);
        let free = match self.free_memory {
            Some(free) if self.is_too_large() => format!(", but only {} are free", size(free)),
            Some(free) => format!(" of {} free", size(free)),
            None => String::new(),
        };
        format!("{files}, {bytes} on disk; as {precision} on {device} the weights take {memory}{free}")
    }
}

impl Display for Plan {
    /// A table of at most 100 columns, unless a path is longer.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        let (table, files, totals) = (self.table(), self.file_list(), self.totals());
        write!(f, "{}: {}\n{table}{files}{totals}", self.path.display(), self.what)
    }
}
