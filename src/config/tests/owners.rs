use super::*;

/// The owner of volume `data` in a file with these services.
fn owner_of_data(services: &str) -> Option<Owner> {
    let text = format!("project = \"p\"\n[volumes.data]\n{services}");
    stack(&text).volumes[&VolumeName::new("data")].owner
}

#[test]
fn a_volume_belongs_to_the_user_of_the_build_that_writes_to_it() {
    let services = "[services.a]\nbuild = { uid = 5, gid = 6 }\nvolumes = [\"data:/d\"]\n";
    assert_eq!(owner_of_data(services), Some(Owner { uid: 5, gid: 6 }));
}

#[test]
fn the_user_of_a_service_counts_more_than_that_of_its_build() {
    let services =
        "[services.a]\nuser = \"7:8\"\nbuild = { uid = 5, gid = 6 }\nvolumes = [\"data:/d\"]\n";
    assert_eq!(owner_of_data(services), Some(Owner { uid: 7, gid: 8 }));
}

#[test]
fn a_user_without_a_group_has_the_group_of_its_build_or_the_engine_s_default() {
    let built = "[services.a]\nuser = 5\nbuild = { uid = 5, gid = 6 }\nvolumes = [\"data:/d\"]\n";
    assert_eq!(owner_of_data(built), Some(Owner { uid: 5, gid: 6 }));
    let pulled = "[services.a]\nuser = 5\nimage = \"a\"\nvolumes = [\"data:/d\"]\n";
    assert_eq!(owner_of_data(pulled), Some(Owner { uid: 5, gid: 0 }));
}

#[test]
fn a_user_that_is_a_name_tells_nothing() {
    let services = "[services.a]\nuser = \"www\"\nbuild = { uid = 5 }\nvolumes = [\"data:/d\"]\n";
    assert_eq!(owner_of_data(services), None);
}

#[test]
fn who_only_reads_a_volume_has_no_say() {
    let services = "[services.a]\nuser = 5\nimage = \"a\"\nvolumes = [\"data:/d:ro\"]\n\
                    [services.b]\nuser = \"9:9\"\nimage = \"b\"\nvolumes = [\"data:/d\"]\n";
    assert_eq!(owner_of_data(services), Some(Owner { uid: 9, gid: 9 }));
}

#[test]
fn an_owner_that_is_written_settles_it() {
    let text = "project = \"p\"\n[volumes.data]\nowner = \"3:4\"\n\
                [services.a]\nuser = 5\nimage = \"a\"\nvolumes = [\"data:/d\"]\n\
                [services.b]\nuser = 6\nimage = \"b\"\nvolumes = [\"data:/d\"]\n";
    let owner = stack(text).volumes[&VolumeName::new("data")].owner;
    assert_eq!(owner, Some(Owner { uid: 3, gid: 4 }));
}

#[test]
fn host_takes_the_caller_s_user_and_group() {
    let build = |keys: &str| {
        let text = format!("project = \"p\"\n[services.a]\nbuild = {{ {keys} }}\n");
        match stack(&text)
            .services
            .remove(&ServiceName::new("a"))
            .map(|service| service.image)
        {
            Some(ImageSource::Build(build)) => (build.uid, build.gid, build.host_user),
            other => panic!("it is built: {other:?}"),
        }
    };
    assert_eq!(build("uid = \"host\""), (4242, 4343, true));
    assert_eq!(build("uid = \"host\", gid = \"host\""), (4242, 4343, true));
    assert_eq!(build("uid = \"host\", gid = 5"), (4242, 5, true));
    assert_eq!(build("uid = 5"), (5, 1000, false));
    assert_eq!(build("gid = 5"), (1000, 5, false));
    assert_eq!(build("uid = \"${WHO:-host}\""), (4242, 4343, true));
    assert_eq!(build("uid = \"${WHO:-7}\""), (7, 1000, false));
}
