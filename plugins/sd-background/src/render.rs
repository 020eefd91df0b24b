//! Requests through the pipeline: those that are alike together, each with as many attempts as it needs.

use std::sync::PoisonError;

use adeval_models::ModelError;
use adeval_models::stable_diffusion::pipeline::{ControlSettings, Job, Progress, Rendered, Settings, Start};
use adeval_sdk::{BackgroundRequest, CallContext, Creative, ErrorKind, PluginError, Result};
use image::RgbImage;

use crate::SdBackground;
use crate::attempts::{Attempt, seed};
use crate::canvas::Canvas;
use crate::error::plugin_error;
use crate::parameters::Parameters;

/// A request on its way.
pub struct Draft<'a> {
    request: &'a BackgroundRequest,
    canvas: Canvas,
    best: Option<Attempt>,
}

impl<'a> Draft<'a> {
    pub fn new(request: &'a BackgroundRequest, parameters: &Parameters) -> Result<Self> {
        request.validate()?;
        Ok(Self { request, canvas: Canvas::new(request, parameters)?, best: None })
    }

    /// Whether both can be rendered in one batch.
    pub fn is_like(&self, other: &Self) -> bool {
        let settings =
            |draft: &Self| (draft.request.steps, draft.request.guidance, draft.request.control_strength);
        self.canvas.size() == other.canvas.size() && settings(self) == settings(other)
    }

    fn finished(self) -> Result<Creative> {
        self.best
            .map(|best| best.creative)
            .ok_or_else(|| PluginError::new(ErrorKind::Other, "the pipeline gave no picture for a request"))
    }
}

/// Where a batch is among the requests of a call.
#[derive(Clone, Copy)]
pub struct Position {
    /// Requests before it.
    pub before: usize,
    /// Requests in it.
    pub together: usize,
    /// Requests in all.
    pub all: usize,
}

impl SdBackground {
    /// Creatives of drafts that are alike. An error of a batch says nothing of its members, so each is then tried alone.
    pub(crate) fn render(
        &self,
        drafts: Vec<Draft<'_>>,
        position: Position,
        cx: &CallContext<'_>,
    ) -> Vec<Result<Creative>> {
        let requests: Vec<_> = drafts.iter().map(|draft| draft.request).collect();
        match self.render_together(drafts, position, cx) {
            Ok(creatives) => creatives.into_iter().map(Ok).collect(),
            Err(error) if requests.len() == 1 || error.kind == ErrorKind::Cancelled => {
                requests.iter().map(|_| Err(error.clone())).collect()
            }
            Err(_) => {
                let alone = |i| Position { before: position.before + i, together: 1, ..position };
                let requests = requests.into_iter().enumerate();
                requests.map(|(i, request)| self.render_alone(request, alone(i), cx)).collect()
            }
        }
    }

    /// One creative.
    pub(crate) fn render_alone(
        &self,
        request: &BackgroundRequest,
        position: Position,
        cx: &CallContext<'_>,
    ) -> Result<Creative> {
        let draft = Draft::new(request, &self.parameters)?;
        let mut creatives = self.render_together(vec![draft], position, cx)?;
        creatives.pop().ok_or_else(|| PluginError::new(ErrorKind::Other, "a request was lost"))
    }

    fn render_together(
        &self,
        mut drafts: Vec<Draft<'_>>,
        position: Position,
        cx: &CallContext<'_>,
    ) -> Result<Vec<Creative>> {
        for attempt in 0..self.attempts.most() {
            let mut open: Vec<&mut Draft<'_>> =
                drafts.iter_mut().filter(|draft| self.attempts.wants_another(draft.best.as_ref())).collect();
            if open.is_empty() {
                break;
            }
            let pictures = self.paint(&open, attempt, position, cx)?;
            for (draft, picture) in open.iter_mut().zip(pictures) {
                let creative = draft.canvas.finish(&picture)?;
                let judged = self.attempts.judge(creative, draft.canvas.alpha())?;
                if draft.best.as_ref().is_none_or(|best| judged.penalty < best.penalty) {
                    draft.best = Some(judged);
                }
            }
        }
        drafts.into_iter().map(Draft::finished).collect()
    }

    /// One run of the pipeline.
    fn paint(
        &self,
        drafts: &[&mut Draft<'_>],
        attempt: u32,
        position: Position,
        cx: &CallContext<'_>,
    ) -> Result<Vec<RgbImage>> {
        let Some(first) = drafts.first() else { return Ok(Vec::new()) };
        let settings = self.settings(first.request, &first.canvas);
        let jobs: Vec<Job> = drafts.iter().map(|draft| self.job(draft, attempt)).collect();
        // A panic while the lock was held left nothing half done: the pipeline is not changed by a run.
        let assembled = self.assembled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stopped = None;
        let mut watch = |progress: &Progress<'_>| {
            let (fraction, note) = self.told(progress, attempt, position);
            cx.progress(fraction, &note);
            cx.check().map_err(|error| {
                stopped = Some(error);
                ModelError::Stopped
            })
        };
        cx.check()?;
        let rendered = assembled.pipeline.render(&jobs, &settings, &mut watch);
        let Rendered { pictures, notes } =
            rendered.map_err(|error| stopped.take().unwrap_or_else(|| plugin_error(error)))?;
        for note in &notes {
            cx.progress(1.0, note);
        }
        Ok(pictures)
    }

    /// How far the call is, and in words; attempts that are spared are jumped over.
    fn told(&self, progress: &Progress<'_>, attempt: u32, position: Position) -> (f32, String) {
        let Position { before, together, all } = position;
        let run = progress.done as f32 / progress.total as f32;
        let attempts = self.attempts.most();
        let group = (attempt as f32 + run) / attempts as f32;
        let mut note = String::new();
        if all > 1 {
            let numbers = if together > 1 {
                format!("creatives {} to {} of {all}", before + 1, before + together)
            } else {
                format!("creative {} of {all}", before + 1)
            };
            note = format!("{numbers}, ");
        }
        if attempts > 1 {
            note += &format!("attempt {} of at most {attempts}, ", attempt + 1);
        }
        note += &format!("step {} of {}", progress.done, progress.total);
        ((before as f32 + group * together as f32) / all as f32, note)
    }

    fn job(&self, draft: &Draft<'_>, attempt: u32) -> Job {
        let Draft { request, canvas, .. } = draft;
        Job {
            prompt: request.prompt.clone(),
            negative: request.negative_prompt.clone(),
            seed: seed(request.seed, attempt),
            start: Start::Inpaint { picture: canvas.picture(), mask: canvas.mask() },
            controls: vec![canvas.control(); self.parameters.control_nets.len()],
            style: self.style.clone(),
        }
    }

    fn settings(&self, request: &BackgroundRequest, canvas: &Canvas) -> Settings {
        let parameters = &self.parameters;
        let (width, height) = canvas.size();
        let control = ControlSettings {
            scale: request.control_strength.unwrap_or(parameters.control_strength),
            fade: parameters.control_fade,
            start: parameters.control_start,
            end: parameters.control_end,
        };
        Settings {
            width,
            height,
            steps: request.steps.unwrap_or(parameters.steps) as usize,
            guidance: request.guidance.unwrap_or(parameters.guidance),
            strength: parameters.strength,
            controls: vec![control; parameters.control_nets.len()],
            guess_mode: parameters.guess_mode,
            clip_skip: parameters.clip_skip as usize,
            style_scale: parameters.style_scale,
            ..Settings::default()
        }
    }
}
