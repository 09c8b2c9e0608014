use std::time::SystemTime;

use super::*;

const DUMP: &str = "-- Table structure for table `a`\n-- sysndd-backup definitions\n-- Dump completed on 2026-11-20\n";

fn empty() -> (tempfile::TempDir, Catalogue, BackupName) {
    let dir = tempfile::tempdir().expect("a directory");
    let catalogue = Catalogue::new(dir.path().to_owned());
    let name = "manual_2026-11-20_20-01-02.sql.zst"
        .parse()
        .expect("a name");
    (dir, catalogue, name)
}

/// The file of a backup that can be restored, another one for each number.
fn whole(number: u8) -> Vec<u8> {
    let dump = format!("-- {}\n{DUMP}", "x".repeat(usize::from(number)));
    zstd::stream::encode_all(dump.as_bytes(), 3).expect("compressed")
}

/// A file that is finished and has no name yet.
fn finished(catalogue: &Catalogue, name: &BackupName, bytes: &[u8]) -> (Partial, Metadata) {
    let partial = catalogue.partial(name).expect("a file");
    fs::write(partial.path(), bytes).expect("written");
    let found = examine(partial.path()).expect("readable");
    let derived = false;
    (partial, Metadata { derived, ..found })
}

fn publish(catalogue: &Catalogue, name: &BackupName, bytes: &[u8]) -> Result<(), Error> {
    let (partial, metadata) = finished(catalogue, name, bytes);
    catalogue.publish(partial, name, &metadata)
}

/// As a program does that brings a file from elsewhere, and was last heard of an hour ago.
fn put(catalogue: &Catalogue, name: &BackupName, bytes: &[u8]) {
    let path = catalogue.path(name);
    fs::write(&path, bytes).expect("written");
    let hour_ago = SystemTime::now() - Duration::from_hours(1);
    let file = File::options().write(true).open(&path).expect("there");
    file.set_modified(hour_ago).expect("changed");
}

#[test]
fn a_name_that_is_taken_keeps_its_file_and_what_is_noted_of_it() {
    let (dir, catalogue, name) = empty();
    publish(&catalogue, &name, &whole(1)).expect("published");
    let before = catalogue.find(&name).expect("there");
    let error = publish(&catalogue, &name, &whole(200)).expect_err("it is taken");
    assert!(error.to_string().contains("give a name to"), "{error}");
    assert_eq!(catalogue.find(&name).expect("there"), before);
    assert!(before.is_whole());
    catalogue.verify(&name).expect("as it was");
    assert_eq!(fs::read_dir(dir.path()).expect("readable").count(), 2);
}

#[test]
fn a_new_backup_gets_a_name_that_is_free() {
    let (_dir, catalogue, _) = empty();
    let first = catalogue.free_name(Kind::Manual);
    publish(&catalogue, &first, &whole(1)).expect("published");
    assert!(catalogue.free_name(Kind::Manual) > first);
}

#[test]
fn a_copy_takes_the_place_of_a_spoilt_file_and_of_no_other() {
    let (_dir, catalogue, name) = empty();
    assert!(!catalogue.is_spoilt(&name).expect("looked at"));
    publish(&catalogue, &name, &whole(1)).expect("published");
    let refused = catalogue.is_spoilt(&name).expect_err("it is whole");
    assert!(refused.to_string().contains("and whole"), "{refused}");
    let good = whole(1);
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    // Cut off, changed in its middle, and of somebody else altogether.
    for spoilt in [&good[..9], &flipped, b"nothing"] {
        fs::write(catalogue.path(&name), spoilt).expect("written");
        assert!(catalogue.is_spoilt(&name).expect("looked at"));
        let (copy, _) = finished(&catalogue, &name, &good);
        catalogue.adopt(copy, &name, true).expect("adopted");
        assert!(catalogue.find(&name).expect("there").is_whole());
        assert_eq!(fs::read(catalogue.path(&name)).expect("readable"), good);
    }
    let (cut, _) = finished(&catalogue, &name, &good[..9]);
    catalogue.adopt(cut, &name, true).expect_err("it is cut");
    // Whole, and another one than was made here.
    let (other, _) = finished(&catalogue, &name, &whole(200));
    let refused = catalogue.adopt(other, &name, true);
    let refused = refused.expect_err("it is another one").to_string();
    assert!(refused.contains("when it was made"), "{refused}");
    assert!(catalogue.find(&name).expect("there").is_whole());
}

#[test]
fn what_is_on_its_way_is_left_alone_and_what_was_read_too_early_is_read_again() {
    let (_dir, catalogue, name) = empty();
    let (whole, larger) = (whole(1), whole(200));
    let half = &whole[..whole.len() / 2];
    fs::write(catalogue.path(&name), half).expect("written");
    catalogue.derive(&name).expect("looked at");
    let found = catalogue.find(&name).expect("there");
    assert_eq!((found.checksum, found.fault), (None, None));
    // Nothing came for an hour, and then the rest.
    put(&catalogue, &name, half);
    catalogue.derive(&name).expect("read");
    assert!(catalogue.find(&name).expect("there").fault.is_some());
    put(&catalogue, &name, &whole);
    let found = catalogue.find(&name).expect("there");
    assert_eq!((found.checksum, found.fault), (None, None));
    catalogue.derive(&name).expect("read");
    assert!(catalogue.find(&name).expect("there").is_whole());
    // Another one in its place is read as well.
    put(&catalogue, &name, &larger);
    catalogue.derive(&name).expect("read");
    assert!(catalogue.find(&name).expect("there").is_whole());
}

#[test]
fn one_that_nobody_can_read_has_a_fault() {
    let (_dir, catalogue, name) = empty();
    // Its first byte is none of this process, whoever runs it.
    std::os::unix::fs::symlink("/proc/self/mem", catalogue.path(&name)).expect("made");
    let fault = catalogue.find(&name).expect("there").fault;
    assert!(fault.expect("a fault").starts_with("cannot be read: "));
}

#[test]
fn one_that_was_made_here_must_stay_as_it_was() {
    let (_dir, catalogue, name) = empty();
    publish(&catalogue, &name, &whole(1)).expect("published");
    put(&catalogue, &name, &whole(200));
    let fault = catalogue.find(&name).expect("there").fault;
    assert!(fault.expect("a fault").contains("when it was made"));
}

#[test]
fn what_was_left_behind_goes_and_what_somebody_is_at_stays() {
    let dir = tempfile::tempdir().expect("a directory");
    let catalogue = Catalogue::new(dir.path().to_owned());
    let name = BackupName::new(Kind::Manual, Utc::now());
    let at_it = catalogue.partial(&name).expect("a file");
    let left = dir.path().join(format!("{PARTIAL}0000000000000000-{name}"));
    let orphan = catalogue.sidecar(&name);
    let foreign = dir.path().join("notes.txt");
    for path in [&left, &orphan, &foreign] {
        fs::write(path, "half").expect("written");
    }
    catalogue.clean().expect("cleaned");
    assert!(at_it.path().exists() && foreign.exists());
    assert!(!left.exists() && !orphan.exists());
}

#[test]
fn a_file_whose_writer_died_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    let catalogue = Catalogue::new(dir.path().to_owned());
    let name = BackupName::new(Kind::Manual, Utc::now());
    let Partial { path, file } =
        &*std::mem::ManuallyDrop::new(catalogue.partial(&name).expect("a file"));
    assert!(path.exists() && !abandoned(path).expect("looked at"));
    // The end of a process closes its files and runs nothing else.
    file.unlock().expect("as closed");
    catalogue.clean().expect("cleaned");
    assert!(!path.exists());
}
