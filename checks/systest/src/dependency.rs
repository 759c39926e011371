//! The crates that the bindings use.

use crate::run;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

pub struct Dependency {
    pub name: String,
    /// The root module.
    pub root: PathBuf,
    pub edition: String,
}

impl Dependency {
    /// `cty` and `libc`, in the versions that this package has locked.
    pub fn all() -> Result<Vec<Dependency>, String> {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let mut command = Command::new(env!("CARGO"));
        command.args(["metadata", "--format-version=1", "--locked"]);
        let json = run::output(command.args(["--manifest-path", manifest]))?;
        let json: Value =
            serde_json::from_str(&json).map_err(|error| format!("cargo metadata: {error}"))?;
        let packages = json["packages"].as_array().into_iter().flatten();
        Ok(packages.filter_map(Dependency::of_package).collect())
    }

    fn of_package(package: &Value) -> Option<Dependency> {
        let name = package["name"].as_str()?;
        if !["cty", "libc"].contains(&name) {
            return None;
        }
        let targets = package["targets"].as_array()?;
        let library = targets.iter().find(|target| target["kind"][0] == "lib")?;
        Some(Dependency {
            name: name.into(),
            root: library["src_path"].as_str()?.into(),
            edition: library["edition"].as_str()?.into(),
        })
    }
}
