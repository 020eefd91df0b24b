//! `adeval plugin check`: does a plugin keep the contract?

use crate::bench::Progress;
use crate::check::{
    self, Attempt, CheckConfig, CheckOptions, CheckReport, Level, find_rule, rules, to_junit, to_text,
};
use crate::cli::exit::{Finish, Stop};
use crate::cli::progress::Report;
use crate::cli::{Session, interrupt, output};
use crate::suite::must_be_finite;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  adeval plugin check target/release/libmy_plugin.so
  adeval plugin check libmy_plugin.so --level strict --junit check.xml
  adeval plugin check libmy_plugin.so --only seed --verbose
  adeval plugin check --explain other-seed
  adeval plugin check --rules

Every rule runs in a process of its own. Exit code 1 when a rule is broken. A file adeval-check.toml in this folder may
set the level, limits, parameters and weights of components, and turn rules off or into warnings.";

#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// The plugin's library.
    #[arg(required_unless_present_any = ["explain", "rules"])]
    library: Option<PathBuf>,
    /// How much is asked: basic (fit for a bench), standard (what a board relies on), strict (under stress, too).
    #[arg(long, value_enum)]
    level: Option<Level>,
    /// Only rules whose id contains this; may be repeated.
    #[arg(long, value_name = "TEXT")]
    only: Vec<String>,
    /// No rule whose id contains this; may be repeated.
    #[arg(long, value_name = "TEXT")]
    skip: Vec<String>,
    /// Only this component; may be repeated.
    #[arg(long, value_name = "ID")]
    component: Vec<String>,
    /// Rules at work at the same time. Times are compared with fewer disturbances at 1.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// The most seconds that one rule may take [default: 120].
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Address space of a rule's process; 0 for no limit [default: 8192].
    #[arg(long, value_name = "MIB")]
    memory_limit: Option<u64>,
    /// Seed of the check.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Give this very seed to each rule, as a failed rule has named it.
    #[arg(long, value_name = "SEED")]
    reproduce: Option<u64>,
    /// Write the report as JUnit XML, too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// The plugin's own settings [default: adeval-check.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say what was seen of rules that hold, too.
    #[arg(long, short)]
    verbose: bool,
    /// Explain a rule: why it matters, what is tried, how to mend a plugin.
    #[arg(long, value_name = "ID", exclusive = true)]
    explain: Option<String>,
    /// List all rules.
    #[arg(long)]
    rules: bool,
}

pub fn run(args: &CheckArgs, session: Session) -> Result<Finish, Stop> {
    if let Some(id) = &args.explain {
        return explain(id);
    }
    match &args.library {
        Some(library) if !args.rules => check_library(args, library, session),
        _ => list(session),
    }
}

fn explain(id: &str) -> Result<Finish, Stop> {
    match find_rule(id) {
        Some(rule) => output::print(rule.page),
        None => {
            let near = crate::suite::nearest(id, rules().iter().map(|rule| rule.id));
            let help = near.map_or_else(
                || "`adeval plugin check --rules` lists them".to_owned(),
                |near| format!("did you mean \"{near}\"?"),
            );
            Err(Stop::new(format!("there is no rule \"{id}\"")).help(help))
        }
    }
}

fn list(session: Session) -> Result<Finish, Stop> {
    if session.json {
        let rule =
            |rule: &check::Rule| json!({ "id": rule.id, "level": rule.level, "summary": rule.summary });
        return output::print_json(&rules().iter().map(rule).collect::<Vec<_>>());
    }
    let row = |rule: &check::Rule| {
        [rule.id.into(), format!("{:?}", rule.level).to_lowercase(), rule.summary.into()]
    };
    output::print(&output::table(["RULE", "LEVEL", "WHAT MUST HOLD"], rules().iter().map(row)))
}

fn check_library(args: &CheckArgs, library: &Path, session: Session) -> Result<Finish, Stop> {
    let options = options(args, library)?;
    let cancel = interrupt::listen()?;
    let progress = Report::new(session.quiet);
    let started = |count| progress.stage("rules", count);
    let done = |_: &Attempt| progress.advance(1);
    let report = check::check(&options, cancel, &started, &done);
    progress.finish();
    let report = report?;
    if let Some(file) = &args.junit {
        std::fs::write(file, to_junit(&report)).map_err(|error| {
            Stop::new(format!("{}: the report cannot be written: {error}", file.display()))
        })?;
    }
    if session.json {
        output::print_json(&report)?;
    } else {
        output::print(&to_text(&report, args.verbose))?;
    }
    if cancel.load(Ordering::Relaxed) {
        return Err(Stop::interrupted("stopped before all rules were tried"));
    }
    verdict(&report)
}

fn verdict(report: &CheckReport) -> Result<Finish, Stop> {
    if report.attempts.is_empty() {
        return Err(Stop::new("no rule was tried").help("--only, --skip and --component leave none over"));
    }
    Ok(if report.conforms() { Finish::Done } else { Finish::Refuted })
}

fn options(args: &CheckArgs, library: &Path) -> Result<CheckOptions, Stop> {
    let config = config(args.config.as_deref())?;
    let seconds = args.timeout.or(config.timeout).unwrap_or(120.0);
    let timeout = Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|timeout| !timeout.is_zero())
        .ok_or_else(|| Stop::new(format!("a timeout of {seconds} s; it must be above 0")))?;
    let memory = args.memory_limit.or(config.memory_limit).unwrap_or(8192);
    Ok(CheckOptions {
        library: library.to_owned(),
        level: args.level.or(config.level).unwrap_or_default(),
        only: args.only.clone(),
        skip: args.skip.clone(),
        components: args.component.clone(),
        timeout,
        memory_limit: (memory > 0).then_some(memory << 20),
        jobs: args.jobs,
        seed: args.seed,
        reproduce: args.reproduce,
        config,
    })
}

fn config(named: Option<&Path>) -> Result<CheckConfig, Stop> {
    let file = named.unwrap_or(Path::new("adeval-check.toml"));
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(CheckConfig::default());
        }
        Err(error) => return Err(Stop::new(format!("{}: cannot be read: {error}", file.display()))),
    };
    let config: CheckConfig = toml::from_str(&text)
        .map_err(|error| Stop::new(format!("{}: {}", file.display(), error.message())))?;
    must_be_finite(&toml::from_str(&text).unwrap_or_default())
        .map_err(|reason| Stop::new(format!("{}: {reason}", file.display())))?;
    match config.rules.keys().find(|id| find_rule(id).is_none()) {
        Some(id) => Err(Stop::new(format!("{}: there is no rule \"{id}\"", file.display()))
            .help("`adeval plugin check --rules` lists them")),
        None => Ok(config),
    }
}
