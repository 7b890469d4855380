use super::*;

fn now() -> Timestamp {
    "2026-11-23T10:00:00Z".parse().expect("a time")
}

fn memory() -> Memory {
    let mut memory = Memory::default();
    memory.past.first_at = Some(now());
    memory
}

fn read(folder: &Path) -> Option<Memory> {
    StateFile::open(folder).expect("a folder").load().expect("readable")
}

#[tokio::test]
async fn comes_back_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let deep = folder.path().join("made/on/demand");
    let file = StateFile::open(&deep).expect("a folder");
    assert_eq!(file.load().expect("readable"), None);
    file.save(&memory(), now()).await.expect("saved");
    assert_eq!(read(&deep), Some(memory()));
    let names: Vec<_> =
        std::fs::read_dir(&deep).expect("folder").map(|one| one.expect("item").file_name()).collect();
    assert_eq!(names, [FILE], "no temporary file stays");
}

#[test]
fn what_cannot_be_understood_is_set_aside() {
    let check = |text: &str, why: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE);
        std::fs::write(&path, text).expect("written");
        assert_eq!(read(folder.path()), None, "{text}");
        assert!(!path.exists(), "{text}");
        assert_eq!(std::fs::read_to_string(folder.path().join(SET_ASIDE)).expect("set aside"), text);
        let told = decode(text.as_bytes()).expect_err("not understood");
        assert!(told.contains(why), "{text}: {told}");
    };
    let good = String::from_utf8(encode(&memory(), now()).expect("encoded")).expect("text");
    assert!(decode(good.as_bytes()).is_ok());
    check("", "EOF");
    check("\u{0}\u{1}", "expected value");
    let half: String = good.chars().take(good.len() / 2).collect();
    check(&half, "EOF");
    check(&good.replace("state/2", "state/1"), "dns-drift-state/1");
    check(&good.replace("\"history\"", "\"histories\""), "missing field");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "").expect("written");
    let error = StateFile::open(&file).expect_err("no folder");
    assert!(error.to_string().contains("a-file"), "{error}");
}

#[tokio::test]
async fn a_failed_write_keeps_what_was_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = StateFile::open(folder.path()).expect("a folder");
    file.save(&memory(), now()).await.expect("saved");
    // A folder stands where the temporary file would be written.
    std::fs::create_dir(&file.temporary).expect("folder");
    let error = file.save(&Memory::default(), now()).await.expect_err("not written");
    assert!(error.to_string().contains(FILE), "{error}");
    std::fs::remove_dir(&file.temporary).expect("removed");
    assert_eq!(read(folder.path()), Some(memory()));
}

#[tokio::test]
async fn two_processes_write_no_common_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (one, other) = (StateFile::open(folder.path()), StateFile::open(folder.path()));
    let (one, other) = (one.expect("a folder"), other.expect("a folder"));
    assert_ne!(one.temporary, other.temporary);
    for _ in 0..20 {
        let (memory, nothing) = (memory(), Memory::default());
        let both = tokio::join!(one.save(&memory, now()), other.save(&nothing, now()));
        both.0.and(both.1).expect("saved");
        let kept = other.load().expect("readable").expect("whole");
        assert!([memory, nothing].contains(&kept), "{kept:?}");
    }
}

#[test]
fn what_a_killed_process_left_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, age: Duration| {
        let file = std::fs::File::create(folder.path().join(name)).expect("made");
        let now = file.metadata().and_then(|metadata| metadata.modified()).expect("a time");
        file.set_modified(now - age).expect("aged");
    };
    write("state.json.0123456789abcdef.tmp", LEFT_BEHIND * 2);
    // Of versions that had one name for it.
    write("state.json.tmp", LEFT_BEHIND * 2);
    write("state.json.fedcba9876543210.tmp", LEFT_BEHIND / 2);
    write("notes.tmp", LEFT_BEHIND * 2);
    drop(StateFile::open(folder.path()).expect("a folder"));
    let names = std::fs::read_dir(folder.path()).expect("folder").map(|one| one.expect("item").file_name());
    let names: std::collections::BTreeSet<_> = names.collect();
    assert_eq!(names, ["notes.tmp", "state.json.fedcba9876543210.tmp"].map(Into::into).into());
}
