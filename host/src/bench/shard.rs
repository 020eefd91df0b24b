//! Which part of a suite one call of many works on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One of equal parts of a suite: every `count`-th product, bandit seed and reference image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shard {
    /// Its number, from 1 to `count`.
    pub index: u32,
    /// Number of parts.
    pub count: u32,
}

/// Variables in which schedulers number the tasks of a job, and the number of the first task.
const VARIABLES: [(&str, u32); 2] = [("SLURM_ARRAY_TASK_ID", 1), ("JOB_COMPLETION_INDEX", 0)];

impl Shard {
    /// Reads `3/7`, or `auto/7` with a scheduler's variable.
    ///
    /// A task's number is taken as it is, never as its place in the array that was submitted: a task that is submitted
    /// again, alone, has the same number but another place.
    ///
    /// # Errors
    /// One sentence with the mend.
    pub fn parse(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let (index, count) = text.split_once('/').ok_or_else(|| match text {
            "auto" => {
                "the number of shards is missing, write auto/7: a task that is submitted again does not \
                know it"
                    .to_owned()
            }
            _ => "it must look like 3/7, or auto/7 in a Slurm array or a Kubernetes indexed Job".to_owned(),
        })?;
        let whole = |text: &str| text.parse::<u32>().map_err(|_| format!("\"{text}\" is no whole number"));
        let count = whole(count)?;
        if count == 0 {
            return Err("there must be 1 shard at least".into());
        }
        if index == "auto" {
            return automatic(count, variable);
        }
        let index = whole(index)?;
        match (1..=count).contains(&index) {
            true => Ok(Self { index, count }),
            false => Err(format!("shards are numbered from 1 to {count}")),
        }
    }

    /// Whether the thing at this position of a list is its own.
    pub fn takes(self, position: usize) -> bool {
        position % self.count as usize + 1 == self.index as usize
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.index, self.count)
    }
}

fn automatic(count: u32, variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
    let set: Vec<_> =
        VARIABLES.iter().filter_map(|(name, first)| Some((*name, *first, variable(name)?))).collect();
    let [(name, first, value)] = set.as_slice() else {
        let names = VARIABLES.map(|(name, _)| name).join(" and ");
        return Err(if set.is_empty() {
            format!("none of {names} is set, so this is no task of an array; write a number, as in 1/{count}")
        } else {
            format!("{names} are both set; write a number, as in 1/{count}")
        });
    };
    let last = count - 1 + first;
    match value.trim().parse::<u32>() {
        Ok(number) if (*first..=last).contains(&number) => Ok(Shard { index: number - first + 1, count }),
        _ => Err(format!("{name} is {value}, but the tasks of {count} shards are numbered {first}-{last}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, set: &[(&str, &str)]) -> Result<(u32, u32), String> {
        let variable = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Shard::parse(text, variable).map(|shard| (shard.index, shard.count))
    }

    #[test]
    fn a_shard_is_a_number_of_a_number() {
        assert_eq!(
            (read("1/1", &[]), read("3/7", &[]), read("7/7", &[])),
            (Ok((1, 1)), Ok((3, 7)), Ok((7, 7)))
        );
        for (text, word) in [
            ("0/7", "from 1 to 7"),
            ("8/7", "from 1 to 7"),
            ("1/0", "1 shard at least"),
            ("3", "look like 3/7"),
            ("a/7", "\"a\" is no whole number"),
            ("1/-7", "\"-7\" is no whole number"),
            ("auto", "write auto/7"),
        ] {
            let message = read(text, &[]).unwrap_err();
            assert!(message.contains(word), "{text}: {message}");
        }
    }

    #[test]
    fn schedulers_number_their_tasks() {
        let slurm = |id| read("auto/7", &[("SLURM_ARRAY_TASK_ID", id), ("SLURM_ARRAY_TASK_COUNT", "1")]);
        let kubernetes = |index| read("auto/7", &[("JOB_COMPLETION_INDEX", index)]);
        assert_eq!((slurm("1"), slurm("7")), (Ok((1, 7)), Ok((7, 7))));
        assert_eq!((kubernetes("0"), kubernetes("6")), (Ok((1, 7)), Ok((7, 7))));
        assert!(slurm("0").unwrap_err().contains("numbered 1-7"));
        assert!(slurm("8").unwrap_err().contains("SLURM_ARRAY_TASK_ID is 8"));
        assert!(kubernetes("7").unwrap_err().contains("numbered 0-6"));
        let none = read("auto/7", &[]).unwrap_err();
        assert!(none.contains("SLURM_ARRAY_TASK_ID") && none.contains("JOB_COMPLETION_INDEX"), "{none}");
        let both = [("SLURM_ARRAY_TASK_ID", "1"), ("JOB_COMPLETION_INDEX", "0")];
        assert!(read("auto/7", &both).unwrap_err().contains("both set"));
    }

    #[test]
    fn every_position_is_of_one_shard() {
        for count in [1, 2, 7] {
            for position in 0..20 {
                let takers = (1..=count).filter(|&index| Shard { index, count }.takes(position));
                assert_eq!(takers.count(), 1, "{position} of {count}");
            }
        }
    }
}
