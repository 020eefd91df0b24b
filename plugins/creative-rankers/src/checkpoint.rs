//! Saves: the weights, with what they were trained on, and the optimizer's state.

use crate::encoder::Encoder;
use crate::nn::Layout;
use adeval_candle::plugin_error;
use adeval_models::training::{AdamW, AdamWConfig};
use adeval_sdk::prelude::*;
use candle_core::Device;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// Of the files' layout.
const VERSION: u32 = 1;
/// Under which [`Facts`] stand in the file's header.
const FACTS: &str = "adeval";
/// The tensor of the encoder's features of the probe.
const PROBE: &str = "encoder.probe";
const OPTIMIZER: &str = "optimizer.safetensors";

/// What a save says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    component: String,
    version: u32,
    /// Steps that were taken: the optimizer's state must be of the same moment.
    steps: u64,
    encoder: Option<String>,
}

/// Whose saves they are.
pub struct Saver<'a> {
    pub component: &'static str,
    pub layout: &'a Layout,
    pub encoder: Option<&'a Encoder>,
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

impl Saver<'_> {
    fn path(&self, directory: &Path) -> PathBuf {
        directory.join(format!("{}.safetensors", self.component))
    }

    /// Writes both files, each through a temporary one, so that a reader never sees half of it.
    pub fn save(&self, directory: &Path, weights: &[f32], optimizer: &AdamW) -> Result<()> {
        let path = self.path(directory);
        let failed = |path: &Path, why: String| {
            PluginError::new(ErrorKind::Io, format!("cannot write the checkpoint {}: {why}", path.display()))
        };
        std::fs::create_dir_all(directory).map_err(|e| failed(directory, e.to_string()))?;
        let contents = self.serialised(weights, optimizer.steps()).map_err(|e| failed(&path, e))?;
        let put = |path: &Path, write: &dyn Fn(&Path) -> std::result::Result<(), String>| {
            let partial = path.with_extension(format!("{}.partial", std::process::id()));
            let moved =
                write(&partial).and_then(|()| std::fs::rename(&partial, path).map_err(|e| e.to_string()));
            moved.map_err(|why| {
                // The write's own error is what the reader needs; a leftover file does no harm.
                let _ = std::fs::remove_file(&partial);
                failed(path, why)
            })
        };
        let state = directory.join(OPTIMIZER);
        put(&state, &|partial| optimizer.save(partial).map_err(|e| e.to_string()))?;
        put(&path, &|partial| std::fs::write(partial, &contents).map_err(|e| e.to_string()))
    }

    fn serialised(&self, weights: &[f32], steps: u64) -> std::result::Result<Vec<u8>, String> {
        let facts = Facts {
            component: self.component.to_owned(),
            version: VERSION,
            steps,
            encoder: self.encoder.map(|encoder| encoder.name.clone()),
        };
        let facts = serde_json::to_string(&facts).map_err(|e| e.to_string())?;
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for entry in self.layout.entries() {
            tensors.push((entry.name.clone(), entry.shape.clone(), bytes(&weights[entry.slot.range()])));
        }
        if let Some(encoder) = self.encoder {
            tensors.push((PROBE.to_owned(), vec![encoder.dimension], bytes(&encoder.probe)));
        }
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|e| e.to_string())?;
            Ok((name.as_str(), view))
        });
        let views = views.collect::<std::result::Result<Vec<_>, String>>()?;
        let header = HashMap::from([(FACTS.to_owned(), facts)]);
        safetensors::serialize(views, Some(header)).map_err(|e| e.to_string())
    }

    /// Reads what [`Saver::save`] wrote; nothing of it is used unless all of it fits.
    pub fn load(&self, directory: &Path) -> Result<(Vec<f32>, AdamW)> {
        let path = self.path(directory);
        let file = read(&path)?;
        let steps = self.check_facts(&file)?;
        let mut tensors = file.tensors()?;
        let probe = tensors.remove(PROBE);
        if let Some(encoder) = self.encoder
            && !probe.is_some_and(|(_, probe)| encoder.is_that_of(&probe))
        {
            let name = &encoder.name;
            return Err(file
                .bad(format!("it was trained on other features than those of {name}, which is open"))
                .with_hint("set the parameter encoder to that of the training"));
        }
        let weights = self.weights(&file, &mut tensors)?;
        let state = read(&directory.join(OPTIMIZER))?;
        self.check_state(&state)?;
        let optimizer =
            AdamW::read(&state.path, AdamWConfig::default(), &Device::Cpu).map_err(plugin_error)?;
        if optimizer.steps() != steps {
            let taken = optimizer.steps();
            return Err(state
                .bad(format!("it is the state after {taken} steps, the weights are those after {steps}")));
        }
        Ok((weights, optimizer))
    }

    fn check_facts(&self, file: &File) -> Result<u64> {
        let facts = file.facts()?;
        if facts.component != self.component || facts.version != VERSION {
            let (found, version) = (facts.component, facts.version);
            return Err(file.bad(format!(
                "it is of \"{found}\", version {version}; \"{}\", version {VERSION} is needed",
                self.component
            )));
        }
        let open = self.encoder.map(|encoder| encoder.name.as_str());
        match facts.encoder.as_deref() {
            // Names may differ where folders were moved; features decide, below.
            found if found.is_some() == open.is_some() => Ok(facts.steps),
            found => Err(file.bad(format!("it is of the encoder {found:?}, and {open:?} is open"))),
        }
    }

    /// All weights of the layout, which must be all that is in the file.
    fn weights(&self, file: &File, tensors: &mut Tensors) -> Result<Vec<f32>> {
        let mut weights = Vec::with_capacity(self.layout.len());
        for entry in self.layout.entries() {
            let name = &entry.name;
            let Some((shape, values)) = tensors.remove(name) else {
                return Err(file.bad(format!("{name} is missing")));
            };
            if shape != entry.shape {
                return Err(file
                    .bad(format!("{name} has the shape {shape:?}, {:?} is needed", entry.shape))
                    .with_hint("create the component with the parameters of the training"));
            }
            weights.extend(values);
        }
        match tensors.keys().next() {
            Some(name) => Err(file.bad(format!("{name} is no part of \"{}\"", self.component))),
            None => Ok(weights),
        }
    }

    /// The optimizer's moments are those of this layout: of all tensors, or of none before the first step.
    fn check_state(&self, file: &File) -> Result<()> {
        let contents = file.contents()?;
        for name in contents.names() {
            let of = ["exp_avg.", "exp_avg_sq."].iter().find_map(|part| name.strip_prefix(part));
            let entry = of.and_then(|of| self.layout.entries().iter().find(|entry| entry.name == of));
            let Some(entry) = entry else {
                if name == "steps" {
                    continue;
                }
                return Err(file.bad(format!("{name} is no part of the state of \"{}\"", self.component)));
            };
            let view = contents.tensor(name).map_err(|e| file.bad(e.to_string()))?;
            if view.dtype() != Dtype::F32 || view.shape() != entry.shape {
                let (dtype, shape) = (view.dtype(), view.shape());
                return Err(
                    file.bad(format!("{name} is {dtype:?} {shape:?}, F32 {:?} is needed", entry.shape))
                );
            }
        }
        match contents.len() {
            1 => Ok(()),
            found if found == 1 + 2 * self.layout.entries().len() => Ok(()),
            _ => Err(file.bad("moments of some tensors are missing".to_owned())),
        }
    }
}

/// Shapes and values by name.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A file that was read.
struct File {
    path: PathBuf,
    bytes: Vec<u8>,
}

fn read(path: &Path) -> Result<File> {
    let bytes = std::fs::read(path).map_err(|e| {
        let message = format!("cannot read the checkpoint {}: {e}", path.display());
        PluginError::new(ErrorKind::MissingWeights, message).with_hint("give the directory that save() wrote")
    })?;
    Ok(File { path: path.to_owned(), bytes })
}

impl File {
    fn bad(&self, why: String) -> PluginError {
        PluginError::new(ErrorKind::BadWeights, format!("the checkpoint {}: {why}", self.path.display()))
            .with_hint("load a directory that this component's save() wrote")
    }

    fn contents(&self) -> Result<SafeTensors<'_>> {
        SafeTensors::deserialize(&self.bytes).map_err(|e| self.bad(format!("it is damaged or not one: {e}")))
    }

    fn facts(&self) -> Result<Facts> {
        let damaged = |e: String| self.bad(format!("it is damaged or not one: {e}"));
        let (_, header) = SafeTensors::read_metadata(&self.bytes).map_err(|e| damaged(e.to_string()))?;
        let facts = header.metadata().as_ref().and_then(|entries| entries.get(FACTS));
        let facts = facts.ok_or_else(|| self.bad("it is of another program".to_owned()))?;
        serde_json::from_str(facts).map_err(|e| damaged(e.to_string()))
    }

    fn tensors(&self) -> Result<Tensors> {
        let contents = self.contents()?;
        let mut tensors = Tensors::new();
        for (name, view) in contents.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(self.bad(format!("{name} is {:?}, F32 is needed", view.dtype())));
            }
            let (quads, _) = view.data().as_chunks::<4>();
            let values: Vec<f32> = quads.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            if values.iter().any(|value| !value.is_finite()) {
                return Err(self.bad(format!("{name} holds a value that is not finite")));
            }
            tensors.insert(name, (view.shape().to_vec(), values));
        }
        Ok(tensors)
    }
}
