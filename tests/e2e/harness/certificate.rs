//! Certificates for servers on this machine.

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// A certificate for `localhost`, and that of the authority behind it.
pub(crate) struct Certified {
    pub(crate) authority: String,
    pub(crate) own: Certificate,
    pub(crate) key: KeyPair,
}

impl Certified {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let own = params.signed_by(&key, &authority).unwrap();
        Self { authority: authority.pem(), own, key }
    }
}
