//! Object storage: where copies of backups go.

use std::fmt;
use std::path::PathBuf;

use axum::http::Uri;
use secrecy::{ExposeSecret as _, SecretString};

use super::Source;
use super::weak::weakness;

/// Of the secret key.
const SHORTEST: usize = 12;

/// A place for objects.
#[derive(Debug, Clone)]
pub(crate) enum Storage {
    /// A directory, such as a mounted share.
    Directory(PathBuf),
    /// A bucket of a server that speaks S3.
    S3(S3),
}

/// A bucket.
#[derive(Clone)]
pub(crate) struct S3 {
    pub(crate) bucket: String,
    /// Before all names.
    pub(crate) prefix: String,
    /// `SYSNDD_S3_ENDPOINT`; Amazon's own without one.
    pub(crate) endpoint: Option<String>,
    /// `SYSNDD_S3_REGION`.
    pub(crate) region: String,
    /// `SYSNDD_S3_ACCESS_KEY`.
    pub(crate) access_key: String,
    secret_key: SecretString,
    /// Certificates beside the public ones: the content of the file that `SYSNDD_S3_CA` names.
    pub(crate) ca: Option<Vec<u8>>,
    /// `SYSNDD_S3_INSECURE`.
    pub(crate) insecure: bool,
    /// `SYSNDD_S3_CREATE_BUCKET`.
    pub(crate) create_bucket: bool,
}

impl S3 {
    pub(crate) fn secret_key(&self) -> &str {
        self.secret_key.expose_secret()
    }
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "S3({}/{}, …)", self.bucket, self.prefix)
    }
}

impl Storage {
    /// Nothing without `SYSNDD_STORAGE_URL`.
    pub(crate) fn read(source: &mut Source) -> Option<Self> {
        const URL: &str = "SYSNDD_STORAGE_URL";
        let url = source.text(URL);
        let endpoint = source.text("SYSNDD_S3_ENDPOINT");
        let region = source.text("SYSNDD_S3_REGION");
        let access_key = source.text("SYSNDD_S3_ACCESS_KEY");
        let secret_key = source.text("SYSNDD_S3_SECRET_KEY").map(SecretString::from);
        let ca = source.value("SYSNDD_S3_CA", None, |path| {
            std::fs::read(path)
                .map(Some)
                .map_err(|error| format!("names a file that cannot be read: {error}"))
        });
        let insecure = source.value("SYSNDD_S3_INSECURE", false, switch);
        let create_bucket = source.value("SYSNDD_S3_CREATE_BUCKET", false, switch);
        let url = url?;
        if let Some(path) = url
            .strip_prefix("file://")
            .filter(|path| path.starts_with('/'))
        {
            return Some(Self::Directory(path.into()));
        }
        let Some((bucket, prefix)) = url
            .strip_prefix("s3://")
            .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
            .filter(|(bucket, _)| !bucket.is_empty())
        else {
            source.fault(URL, "must be like s3://bucket/prefix or file:///directory");
            return None;
        };
        let (Some(access_key), Some(secret_key)) = (access_key, secret_key) else {
            source.fault(
                "SYSNDD_S3_ACCESS_KEY",
                "and SYSNDD_S3_SECRET_KEY must be set for the bucket of SYSNDD_STORAGE_URL",
            );
            return None;
        };
        if let Some(fault) = weakness(secret_key.expose_secret(), SHORTEST) {
            source.fault("SYSNDD_S3_SECRET_KEY", fault);
        }
        if let Some(endpoint) = &endpoint {
            let scheme = endpoint
                .parse::<Uri>()
                .ok()
                .and_then(|uri| uri.scheme_str().map(str::to_owned));
            match scheme.as_deref() {
                Some("https") => {}
                Some("http") if insecure => {}
                Some("http") => source.fault(
                    "SYSNDD_S3_ENDPOINT",
                    "is not encrypted: all backups would cross the network in the clear; use https, or say that it may be with SYSNDD_S3_INSECURE=true",
                ),
                _ => source.fault(
                    "SYSNDD_S3_ENDPOINT",
                    "must be an address such as https://storage.example.org:9000",
                ),
            }
        }
        Some(Self::S3(S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            endpoint,
            region: region.unwrap_or_else(|| "us-east-1".to_owned()),
            access_key,
            secret_key,
            ca,
            insecure,
            create_bucket,
        }))
    }
}

fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Storage>, String> {
        let pairs = variables
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let mut source = Source::new(pairs);
        let storage = Storage::read(&mut source);
        source
            .finish(Some(storage))
            .map_err(|faults| faults.to_string())
    }

    const KEYS: [(&str, &str); 2] = [
        ("SYSNDD_S3_ACCESS_KEY", "sysndd"),
        ("SYSNDD_S3_SECRET_KEY", "canary-7-of-tests"),
    ];

    #[test]
    fn a_bucket_or_a_directory_or_nothing() {
        assert!(read(&[]).expect("no fault").is_none());
        let directory = read(&[("SYSNDD_STORAGE_URL", "file:///mnt/share")]);
        assert!(matches!(directory, Ok(Some(Storage::Directory(path))) if path.ends_with("share")));
        let given = [("SYSNDD_STORAGE_URL", "s3://backups/of/sysndd/")];
        let Ok(Some(Storage::S3(s3))) = read(&[&given[..], &KEYS].concat()) else {
            panic!("a bucket")
        };
        assert_eq!(
            (s3.bucket.as_str(), s3.prefix.as_str()),
            ("backups", "of/sysndd")
        );
        assert!(!format!("{s3:?}").contains("canary"), "{s3:?}");
    }

    #[test]
    fn what_is_missing_or_in_the_clear_is_a_fault() {
        let bucket = ("SYSNDD_STORAGE_URL", "s3://backups");
        let http = ("SYSNDD_S3_ENDPOINT", "http://minio:9000");
        for (given, fault) in [
            (
                vec![("SYSNDD_STORAGE_URL", "backups")],
                "SYSNDD_STORAGE_URL: must be",
            ),
            (
                vec![("SYSNDD_STORAGE_URL", "file://share")],
                "SYSNDD_STORAGE_URL: must be",
            ),
            (vec![bucket], "SYSNDD_S3_ACCESS_KEY: and"),
            (
                vec![bucket, KEYS[0], ("SYSNDD_S3_SECRET_KEY", "test-secret-key")],
                "SYSNDD_S3_SECRET_KEY: is one of those",
            ),
            (
                vec![bucket, KEYS[0], KEYS[1], http],
                "SYSNDD_S3_ENDPOINT: is not encrypted",
            ),
            (
                vec![bucket, KEYS[0], KEYS[1], ("SYSNDD_S3_ENDPOINT", "minio")],
                "SYSNDD_S3_ENDPOINT: must be",
            ),
            (
                vec![
                    bucket,
                    KEYS[0],
                    KEYS[1],
                    ("SYSNDD_S3_CA", "/does/not/exist"),
                ],
                "SYSNDD_S3_CA: names",
            ),
        ] {
            let faults = read(&given).expect_err(fault);
            assert!(
                faults.contains(fault) && !faults.contains("canary"),
                "{faults}"
            );
        }
        let insecure = ("SYSNDD_S3_INSECURE", "true");
        read(&[bucket, KEYS[0], KEYS[1], http, insecure]).expect("said so");
    }
}
