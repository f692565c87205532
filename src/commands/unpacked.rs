//! The sources that bundled workloads call, as files: an interpreter imports from a folder. It is private to the user, made when
//! the first of these workloads is run, and removed with this process, even if that is killed.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::worker::keeper::Keeper;
use crate::workload::bundled;
use crate::workload::model::Workload;

/// The folder of this process, once there is one.
static FOLDER: Mutex<Option<Unpacked>> = Mutex::new(None);

#[derive(Debug)]
struct Unpacked {
    folder: PathBuf,
    keeper: Keeper,
}

/// The workload with the folder that its sources are in, where it is a bundled one that calls some.
///
/// # Errors
/// When they cannot be written.
pub(super) fn with_sources(workload: &Workload) -> io::Result<Option<Workload>> {
    let calls = workload.classes.iter().any(|class| class.work.callable().is_some());
    if !calls || workload.folder.is_some() || !bundled::is_one(workload) {
        return Ok(None);
    }
    // A thread that panicked with the lock did not leave a folder half made.
    let mut made = FOLDER.lock().unwrap_or_else(PoisonError::into_inner);
    let unpacked = match made.take() {
        Some(unpacked) => unpacked,
        None => unpack(&std::env::temp_dir())?,
    };
    let folder = unpacked.folder.clone();
    *made = Some(unpacked);
    Ok(Some(Workload { folder: Some(folder), ..workload.clone() }))
}

/// Removes the folder, if there is one.
pub(super) fn remove() {
    let made = FOLDER.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Unpacked { folder, keeper }) = made else { return };
    drop(keeper);
    // What the keeper has removed is not there any more.
    let _ = std::fs::remove_dir_all(folder);
}

fn unpack(place: &Path) -> io::Result<Unpacked> {
    let mut random = [0; 8];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let name = format!("poolscope-{}-{:016x}", std::process::id(), u64::from_ne_bytes(random));
    let folder = place.join(name);
    // Whatever happens from here on, there is somebody who removes it.
    let keeper = Keeper::of(&folder, std::env::current_exe()?.as_os_str())?;
    DirBuilder::new().mode(0o700).create(&folder)?;
    let folder = folder.canonicalize()?;
    let unpacked = Unpacked { folder, keeper };
    for (name, text) in bundled::sources() {
        std::fs::write(unpacked.folder.join(name), text)?;
    }
    Ok(unpacked)
}
