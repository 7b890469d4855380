//! The image: built by buildah without a registry, looked into, and started.
//!
//! `IMAGE=yes ./test` builds the static program and says where it is; without it this test says that
//! nothing was built.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    reason = "a test may panic"
)]

#[allow(dead_code, reason = "each test uses its part")]
#[path = "support/servers.rs"]
mod servers;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use servers::free;
use tempfile::TempDir;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

const MAX_BYTES: u64 = 40_000_000;

/// Whom the program trusts where it speaks TLS.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Images and containers in a folder of their own.
struct Buildah {
    folder: TempDir,
}

// === impl Buildah ===

impl Buildah {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("buildah");
        for (option, name) in [("--root", "images"), ("--runroot", "running")] {
            command.arg(option).arg(self.folder.path().join(name));
        }
        command.args(["--storage-driver", "vfs"]).args(args);
        command
    }

    /// Runs to the end, which must be a good one.
    fn run(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap_or_else(|error| panic!("buildah: {error}"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "buildah {args:?}: {said}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The image as the release makes it, from `program`.
    fn image(&self, program: &Path) {
        let context = self.folder.path().join("context");
        let arch = if env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" };
        let dist = context.join("dist").join(arch);
        fs::create_dir_all(&dist).unwrap();
        for name in ["Dockerfile", ".dockerignore"] {
            fs::copy(Path::new(ROOT).join(name), context.join(name)).unwrap();
        }
        fs::copy(CERTIFICATES, context.join("dist/ca-certificates.crt")).unwrap();
        fs::copy(program, dist.join("dns-drift")).unwrap();
        fs::set_permissions(dist.join("dns-drift"), fs::Permissions::from_mode(0o555)).unwrap();
        let context = context.display().to_string();
        let arch = format!("TARGETARCH={arch}");
        self.run(&[
            "bud",
            "--isolation",
            "chroot",
            "--tag",
            "localhost/dns-drift",
            "--target",
            "release",
            "--build-arg",
            &arch,
            &context,
        ]);
    }

    /// A command in the container, as the user of the image, with a `/tmp` as the compose file gives it.
    fn within(&self, container: &str, args: &[&str]) -> Command {
        let tmp = self.folder.path().join("tmp");
        fs::create_dir_all(&tmp).unwrap();
        fs::set_permissions(&tmp, fs::Permissions::from_mode(0o777)).unwrap();
        let mount = format!("{}:/tmp", tmp.display());
        self.command(&[&["run", "--isolation", "chroot", "--volume", &mount, container, "--"], args].concat())
    }
}

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn files(root: &Path, folder: &Path, found: &mut BTreeSet<(String, u64)>) {
    for item in fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        let about = fs::symlink_metadata(&path).unwrap();
        if about.is_dir() {
            files(root, &path, found);
        } else {
            found.insert((path.strip_prefix(root).unwrap().display().to_string(), about.len()));
        }
    }
}

#[test]
fn the_image_is_small_holds_one_program_and_starts() {
    let Some(program) = env::var_os("DNS_DRIFT_TEST_IMAGE_PROGRAM").map(PathBuf::from) else {
        eprintln!("no static program: the image was NOT BUILT, `IMAGE=yes ./test` does");
        return;
    };
    let buildah = Buildah::new();
    buildah.image(&program);

    let about: Value =
        serde_json::from_str(&buildah.run(&["inspect", "--type", "image", "localhost/dns-drift"])).unwrap();
    let config = &about["OCIv1"]["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/dns-drift"]));
    assert_eq!(config["Cmd"], serde_json::json!(["serve"]));
    assert!(config["ExposedPorts"]["9853/tcp"].is_object(), "{config}");
    assert_eq!(config["Labels"]["org.opencontainers.image.title"], "dns-drift");

    let container = buildah.run(&["from", "localhost/dns-drift"]);
    let root = PathBuf::from(buildah.run(&["mount", &container]));
    let mut found = BTreeSet::new();
    files(&root, &root, &mut found);
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["dns-drift", CERTIFICATES.trim_start_matches('/')], "nothing else, and no shell");
    let bytes: u64 = found.iter().map(|(_, bytes)| bytes).sum();
    eprintln!("the image has {bytes} bytes");
    assert!(bytes < MAX_BYTES, "{bytes} bytes");

    let output = buildah.within(&container, &["/dns-drift", "serve", "--check-config"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let address = free();
    let mut demo = buildah.within(&container, &["/dns-drift", "demo", "--listen", &address.to_string()]);
    let _running = Running(demo.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    shows_a_finding(address);
}

/// Waits for a status page with the finding that all is about.
fn shows_a_finding(address: SocketAddr) {
    let begin = Instant::now();
    loop {
        let asked = ureq::get(format!("http://{address}/")).call();
        let page = asked.ok().and_then(|mut answer| answer.body_mut().read_to_string().ok());
        if page.is_some_and(|page| page.contains("failed_change")) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_mins(2), "no page with a finding at {address}");
        sleep(Duration::from_millis(200));
    }
}
