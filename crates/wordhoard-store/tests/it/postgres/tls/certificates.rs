use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};

/// Certificates and keys beside the data of a cluster, as files of its account.
pub struct Certificates {
    dir: PathBuf,
}

impl Certificates {
    /// `server` and `client` by the authority `ca`, `other-client` by `other-ca`, and `self` by itself.
    pub fn write_to(dir: &Path) -> Self {
        let files = Self { dir: dir.to_owned() };
        let (ca, other) = (Authority::new("ca"), Authority::new("other-ca"));
        files.write("ca.crt", &ca.certificate.pem());
        files.write("other-ca.crt", &other.certificate.pem());
        files.signed("server", &params("localhost", &["localhost"]), &ca);
        files.signed("client", &params("wordhoard", &[]), &ca);
        files.signed("other-client", &params("wordhoard", &[]), &other);
        let key = KeyPair::generate().unwrap();
        let mut itself = params("localhost", &["localhost"]);
        itself.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        files.write("self.crt", &itself.self_signed(&key).unwrap().pem());
        files.write("self.key", &key.serialize_pem());
        files
    }

    /// A further parameter of a URL that names this file.
    pub fn query(&self, parameter: &str, file: &str) -> String {
        format!("&{parameter}={}", self.dir.join(file).display())
    }

    fn signed(&self, name: &str, params: &CertificateParams, authority: &Authority) {
        let key = KeyPair::generate().unwrap();
        let issuer = Issuer::from_params(&authority.params, &authority.key);
        self.write(&format!("{name}.crt"), &params.signed_by(&key, &issuer).unwrap().pem());
        self.write(&format!("{name}.key"), &key.serialize_pem());
    }

    /// PostgreSQL and psql refuse a key that others may read.
    fn write(&self, name: &str, pem: &str) {
        let path = self.dir.join(name);
        fs::write(&path, pem).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let owner = fs::metadata(&self.dir).unwrap();
        chown(&path, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
}

struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = params(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { params, key, certificate }
    }
}

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}
