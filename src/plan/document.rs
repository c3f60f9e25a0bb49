//! Plans as JSON, in memory and in files.
//!
//! A document carries the CPU it was made for and is read only on an equal one: a plan that was
//! calibrated elsewhere is at best slow here, and at worst names a backend this CPU can't run.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Algorithm, Choice, Plan, check};
use crate::cpu::{Cpu, Feature};
use crate::{Error, named};

/// The number of the format below.
const FORMAT: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    cpu: Machine,
    choices: BTreeMap<Algorithm, Choice>,
}

/// A CPU as written down; unlike [`Cpu`] it need not be the one we run on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Machine {
    class: String,
    model: String,
    features: Vec<Feature>,
}

impl Plan {
    /// The plan as JSON text.
    ///
    /// # Errors
    /// [`Error::PlanSyntax`] if the JSON can't be written (out of memory).
    pub fn to_json(&self) -> Result<String, Error> {
        let cpu = Machine::from(&self.cpu);
        let document = Document { format: FORMAT, cpu, choices: self.choices.clone() };
        Ok(serde_json::to_string_pretty(&document)?)
    }

    /// Reads a plan from JSON text, for use on `cpu`.
    ///
    /// # Errors
    /// [`Error::PlanSyntax`] and [`Error::PlanFormat`] if it is not a plan of this version;
    /// [`Error::OtherCpu`] if it was made for another CPU or mask; [`Error::NotCompiled`],
    /// [`Error::NotRunnable`] or [`Error::NotImplemented`] if it names a backend that can't serve;
    /// [`Error::PlanIncomplete`] if it leaves an algorithm out.
    pub fn from_json(json: &str, cpu: &Cpu) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Header {
            format: u32,
        }
        let Header { format } = serde_json::from_str(json)?;
        if format != FORMAT {
            return Err(Error::PlanFormat { found: format, supported: FORMAT });
        }
        let document: Document = serde_json::from_str(json)?;
        document.cpu.must_be(cpu)?;
        let plan = Self { cpu: cpu.clone(), choices: document.choices };
        plan.validate()?;
        Ok(plan)
    }

    /// Writes the plan to `path` as JSON, atomically: a reader sees the old file or the new one.
    ///
    /// # Errors
    /// [`Error::PlanFile`] if the file can't be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let json = self.to_json()?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            writeln!(file, "{json}")?;
            file.as_file().sync_all()?;
            file.persist(path)?;
            Ok(())
        };
        write().map_err(|source| Error::PlanFile { action: "write", path: path.to_owned(), source })
    }

    /// Reads a plan from the file at `path`, for use on `cpu`.
    ///
    /// # Errors
    /// [`Error::PlanFile`] if the file can't be read, and those of [`from_json`](Self::from_json).
    pub fn load(path: impl AsRef<Path>, cpu: &Cpu) -> Result<Self, Error> {
        let path = path.as_ref();
        let json = std::fs::read_to_string(path).map_err(|source| Error::PlanFile {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        Self::from_json(&json, cpu)
    }

    /// This plan, if it is for `cpu`.
    pub(crate) fn made_for(self, cpu: &Cpu) -> Result<Self, Error> {
        Machine::from(&self.cpu).must_be(cpu)?;
        Ok(self)
    }

    /// Whether every algorithm that can be served is, by a backend that can.
    fn validate(&self) -> Result<(), Error> {
        for &algorithm in Algorithm::ALL {
            match self.backend(algorithm) {
                Some(backend) => check(algorithm, backend, &self.cpu)?,
                None if algorithm.candidates(&self.cpu).is_empty() => {}
                None => return Err(Error::PlanIncomplete { algorithm }),
            }
        }
        Ok(())
    }
}

impl From<&Cpu> for Machine {
    fn from(cpu: &Cpu) -> Self {
        Self {
            class: cpu.class().to_owned(),
            model: cpu.model().to_owned(),
            features: cpu.features().collect(),
        }
    }
}

impl Machine {
    fn must_be(&self, cpu: &Cpu) -> Result<(), Error> {
        let found: Vec<_> = cpu.features().collect();
        let lacking = |these: &[Feature], those: &[Feature]| -> Vec<Feature> {
            these.iter().copied().filter(|feature| !those.contains(feature)).collect()
        };
        let missing = lacking(&self.features, &found);
        let extra = lacking(&found, &self.features);
        let difference = if !missing.is_empty() {
            format!("this one lacks {}", named::list(&missing))
        } else if !extra.is_empty() {
            format!("this one has {} besides", named::list(&extra))
        } else if self.model != cpu.model() {
            "another model with the same features".to_owned()
        } else {
            return Ok(());
        };
        Err(Error::OtherCpu {
            planned: format!("{}, {}", self.class, self.model),
            found: format!("{}, {}", cpu.class(), cpu.model()),
            difference,
        })
    }
}
