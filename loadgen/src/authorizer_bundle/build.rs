//! Building the authorizer for a processor: which compiler and linker, and what to install where there is none.
//!
//! zig is the first choice, because it links against the C library that the runtime has, whatever the machine has. A
//! machine's own linker is the second; whether its C library is old enough is looked at when the executable is packed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

use serde::Deserialize;

use super::{AL2023_GLIBC, Architecture, BOOTSTRAP};

/// The package that has the function.
const PACKAGE: &str = "authorizer";

/// Why there is no executable.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The compiler said why, on standard error.
    #[error("`{0}` failed; what is wrong stands above")]
    Failed(String),
    /// No linker for the other processor.
    #[error(
        "nothing here can link for {architecture}: install cargo-zigbuild (`pip install cargo-zigbuild ziglang`, which also \
         takes care of the C library's version) or {gcc} (Debian, Ubuntu: `apt-get install {package}`), or name an \
         executable that was built elsewhere with --binary"
    )]
    Linker {
        /// The processor.
        architecture: Architecture,
        /// The cross compiler that was looked for.
        gcc: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// The working directory is no place to build it.
    #[error(
        "this is not authbench's source, where the authorizer is built: run it there, or name an executable with --binary"
    )]
    NoSource,
    /// A program cannot be run.
    #[error("cannot run `{program}`")]
    Run {
        /// The program.
        program: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The standard library for the other processor is missing.
    #[error("Rust's standard library for {0} is missing: `rustup target add {0}`")]
    Target(&'static str),
}

impl Architecture {
    /// Rust's name of Linux on it.
    fn triple(self) -> &'static str {
        match self {
            Architecture::Arm64 => "aarch64-unknown-linux-gnu",
            Architecture::X86_64 => "x86_64-unknown-linux-gnu",
        }
    }

    /// The cross compiler's name, and the package that has it on Debian.
    fn gcc(self) -> (&'static str, &'static str) {
        match self {
            Architecture::Arm64 => ("aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu"),
            Architecture::X86_64 => ("x86_64-linux-gnu-gcc", "gcc-x86-64-linux-gnu"),
        }
    }

    /// The variable by which cargo is told of a linker.
    fn linker_variable(self) -> &'static str {
        match self {
            Architecture::Arm64 => "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
            Architecture::X86_64 => "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER",
        }
    }
}

/// What links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linker {
    /// The machine's own.
    Own,
    /// A cross compiler.
    Gcc(&'static str),
    /// zig, by cargo-zigbuild.
    Zig,
}

impl Linker {
    /// The best one for a processor; `has` says whether there is a program of that name.
    fn choose(
        architecture: Architecture,
        host: &str,
        has: impl Fn(&str) -> bool,
    ) -> Result<Linker, BuildError> {
        let (gcc, package) = architecture.gcc();
        if has("cargo-zigbuild") {
            Ok(Linker::Zig)
        } else if architecture.triple().starts_with(host) {
            Ok(Linker::Own)
        } else if has(gcc) {
            Ok(Linker::Gcc(gcc))
        } else {
            Err(BuildError::Linker {
                architecture,
                gcc,
                package,
            })
        }
    }

    /// The command that builds.
    fn command(self, architecture: Architecture) -> Command {
        let mut command = Command::new("cargo");
        let triple = architecture.triple();
        let (major, minor) = AL2023_GLIBC;
        let (verb, target) = match self {
            Linker::Zig => ("zigbuild", format!("{triple}.{major}.{minor}")),
            Linker::Gcc(_) | Linker::Own => ("build", triple.to_owned()),
        };
        command.args([verb, "--release", "--locked", "--package", PACKAGE]);
        command.args(["--bin", BOOTSTRAP, "--target", &target]);
        if let Linker::Gcc(gcc) = self {
            command.env(architecture.linker_variable(), gcc);
        }
        command
    }
}

/// What `cargo metadata` says of a workspace.
#[derive(Deserialize)]
struct Workspace {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

/// Builds the release executable for a processor from the source in the working directory, and returns its path. What the
/// compiler says goes to standard error.
pub fn build(architecture: Architecture) -> Result<PathBuf, BuildError> {
    let target = target_directory()?;
    let linker = Linker::choose(architecture, env::consts::ARCH, crate::search_path::holds)?;
    if !has_standard_library(architecture)? {
        return Err(BuildError::Target(architecture.triple()));
    }
    let mut command = linker.command(architecture);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let text = words.join(" ");
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|source| BuildError::Run {
            program: text.clone(),
            source,
        })?;
    if !status.success() {
        return Err(BuildError::Failed(text));
    }
    let folder = target.join(architecture.triple()).join("release");
    Ok(folder.join(BOOTSTRAP))
}

fn target_directory() -> Result<PathBuf, BuildError> {
    let metadata = [
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ];
    let output = run("cargo", &metadata)?;
    let workspace: Workspace = serde_json::from_slice(&output).map_err(|_| BuildError::NoSource)?;
    let mut packages = workspace.packages.iter();
    if packages.any(|package| package.name == PACKAGE) {
        Ok(workspace.target_directory)
    } else {
        Err(BuildError::NoSource)
    }
}

/// Whether the compiler has its library for a processor, however it was installed.
fn has_standard_library(architecture: Architecture) -> Result<bool, BuildError> {
    let arguments = [
        "--print",
        "target-libdir",
        "--target",
        architecture.triple(),
    ];
    let output = run("rustc", &arguments)?;
    Ok(Path::new(String::from_utf8_lossy(&output).trim()).is_dir())
}

/// What a program prints; nothing where it fails.
fn run(program: &str, arguments: &[&str]) -> Result<Vec<u8>, BuildError> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| BuildError::Run {
            program: program.to_owned(),
            source,
        })?;
    Ok(if output.status.success() {
        output.stdout
    } else {
        Vec::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(architecture: Architecture, host: &str, there: &[&str]) -> Result<Linker, String> {
        Linker::choose(architecture, host, |program| there.contains(&program))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_linker_is_the_best_one_that_is_there() {
        use Architecture::{Arm64, X86_64};
        let (zig, arm) = ("cargo-zigbuild", "aarch64-linux-gnu-gcc");
        assert_eq!(chosen(Arm64, "x86_64", &[zig, arm]), Ok(Linker::Zig));
        assert_eq!(chosen(X86_64, "x86_64", &[zig]), Ok(Linker::Zig));
        assert_eq!(chosen(Arm64, "x86_64", &[arm]), Ok(Linker::Gcc(arm)));
        assert_eq!(chosen(Arm64, "aarch64", &[]), Ok(Linker::Own));
        assert_eq!(chosen(X86_64, "x86_64", &[arm]), Ok(Linker::Own));
        let error = chosen(Arm64, "x86_64", &[]).expect_err("nothing is there");
        for remedy in [
            "arm64",
            "cargo-zigbuild",
            "gcc-aarch64-linux-gnu",
            "--binary",
        ] {
            assert!(error.contains(remedy), "{error}");
        }
        assert!(chosen(X86_64, "aarch64", &[arm]).is_err());
    }

    #[test]
    fn zig_is_told_the_c_library_and_gcc_is_told_to_cargo() {
        let command = Linker::Zig.command(Architecture::Arm64);
        let target = command.get_args().last().expect("the target");
        assert_eq!(target, "aarch64-unknown-linux-gnu.2.34");
        let gcc = Architecture::Arm64.gcc().0;
        let command = Linker::Gcc(gcc).command(Architecture::Arm64);
        let target = command.get_args().last().expect("the target");
        assert_eq!(target, "aarch64-unknown-linux-gnu");
        let variables: Vec<_> = command.get_envs().collect();
        let name = "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER";
        assert_eq!(variables, [(name.as_ref(), Some(gcc.as_ref()))]);
    }
}
