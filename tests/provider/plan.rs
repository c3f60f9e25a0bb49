//! Plans: printed, overridden, calibrated, saved, loaded, refused.

use std::time::Duration;

use rustls_offload::cpu::Cpu;
use rustls_offload::plan::measure::{measure, operations};
use rustls_offload::plan::{Algorithm, Backend, Plan, Reason, calibrate};
use rustls_offload::{Error, Offload};
use serde_json::{Value, json};

fn cpu() -> Cpu {
    Cpu::detect().unwrap()
}

/// A plan's JSON, changed by `change`.
fn edited(change: impl FnOnce(&mut Value)) -> String {
    let mut json = serde_json::from_str(&Plan::for_cpu(&cpu()).to_json().unwrap()).unwrap();
    change(&mut json);
    json.to_string()
}

#[test]
fn it_prints_every_algorithm_with_backend_and_reason() {
    let plan = Plan::for_cpu(&cpu());
    let text = plan.to_string();
    assert!(text.contains(plan.cpu().class()), "{text}");
    for (algorithm, choice) in plan.choices() {
        let line = text.lines().find(|line| line.starts_with(&format!("{algorithm} "))).unwrap();
        assert!(line.contains(choice.backend.name()), "{line}");
        assert!(line.split_whitespace().count() > 3, "no reason: {line}");
    }
}

#[test]
fn a_class_without_measurements_says_so() {
    let bare = cpu().with_mask("-avx2,-sha2").unwrap();
    if Algorithm::X25519.candidates(&bare).len() < 2 {
        return assert!(Plan::for_cpu(&bare).choices().all(|(_, c)| c.reason != Reason::Table));
    }
    let plan = Plan::for_cpu(&bare);
    let choice = plan.choice(Algorithm::X25519).unwrap();
    assert_eq!((choice.backend, choice.reason), (Backend::available(&bare)[0], Reason::Unmeasured));
    let hint = format!("no measurements for class {}; run calibrate()", bare.class());
    assert!(plan.to_string().contains(&hint), "{plan}");
}

#[test]
fn it_survives_json_and_files() {
    let mut plan = calibrate(&cpu()).unwrap();
    plan.choose(Algorithm::P256, Backend::available(&cpu())[0]).unwrap();
    assert_eq!(Plan::from_json(&plan.to_json().unwrap(), &cpu()).unwrap(), plan);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    Plan::for_cpu(&cpu()).save(&file).unwrap();
    plan.save(&file).unwrap();
    assert_eq!(Plan::load(&file, &cpu()).unwrap(), plan);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file is left");
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").join("plan.json");
    for error in [
        Plan::load(&missing, &cpu()).unwrap_err(),
        Plan::for_cpu(&cpu()).save(&missing).unwrap_err(),
    ] {
        assert!(matches!(error, Error::PlanFile { .. }));
        assert!(error.to_string().contains(missing.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_plan_for_another_cpu_is_refused() {
    let Some(feature) = cpu().features().next() else {
        panic!("a CPU without a single known feature");
    };
    let lesser = cpu().with_mask(&format!("-{feature}")).unwrap();
    let json = Plan::for_cpu(&cpu()).to_json().unwrap();
    let error = Plan::from_json(&json, &lesser).unwrap_err();
    assert!(matches!(error, Error::OtherCpu { .. }));
    assert!(error.to_string().contains(&format!("lacks {feature}")), "{error}");

    let json = Plan::for_cpu(&lesser).to_json().unwrap();
    let error = Plan::from_json(&json, &cpu()).unwrap_err();
    assert!(error.to_string().contains(&format!("has {feature} besides")), "{error}");

    let model = edited(|json| json["cpu"]["model"] = json!("AuthenticAMD-19-61-2"));
    let error = Plan::from_json(&model, &cpu()).unwrap_err();
    assert!(error.to_string().contains("AuthenticAMD-19-61-2"), "{error}");

    let built = Offload::builder().cpu(cpu()).plan(Plan::for_cpu(&lesser)).build();
    assert!(matches!(built, Err(Error::OtherCpu { .. })));
}

#[test]
fn what_is_not_a_plan_is_refused() {
    let read = |json: &str| Plan::from_json(json, &cpu()).unwrap_err();
    assert!(matches!(read("{"), Error::PlanSyntax(_)));
    assert!(matches!(read("{}"), Error::PlanSyntax(_)));
    let future = edited(|json| json["format"] = json!(2));
    assert!(matches!(read(&future), Error::PlanFormat { found: 2, supported: 1 }));
    let extra = edited(|json| json["surprise"] = json!(1));
    assert!(matches!(read(&extra), Error::PlanSyntax(_)));
    let partial = edited(|json| {
        json["choices"].as_object_mut().unwrap().remove("p-256").unwrap();
    });
    assert!(matches!(read(&partial), Error::PlanIncomplete { algorithm: Algorithm::P256 }));
    let unknown = edited(|json| json["choices"]["p-256"]["backend"] = json!("openssl"));
    let message = read(&unknown).to_string();
    assert!(message.contains("`openssl`; known: aws-lc-rs, ring, graviola"), "{message}");
}

#[test]
fn backends_that_cannot_serve_are_refused() {
    for &backend in Backend::ALL {
        let chosen = Offload::builder().choose(Algorithm::Sha256, backend).build();
        match Backend::available(&cpu()).contains(&backend) {
            true => assert_eq!(chosen.unwrap().plan().backend(Algorithm::Sha256), Some(backend)),
            false => assert!(matches!(
                chosen,
                Err(Error::NotCompiled { .. } | Error::NotRunnable { .. })
            )),
        }
    }
}

#[cfg(all(feature = "ring", not(feature = "fips")))]
#[test]
fn an_algorithm_that_a_backend_lacks_is_refused() {
    let error = Offload::builder().choose(Algorithm::X25519MlKem768, Backend::Ring).build();
    assert!(matches!(error, Err(Error::NotImplemented { .. })));
    assert!(matches!(
        operations(Algorithm::X25519MlKem768, Backend::Ring),
        Err(Error::NotImplemented { .. })
    ));
}

#[cfg(all(feature = "graviola", not(feature = "fips")))]
#[test]
fn graviola_is_never_listed_without_the_features_it_needs() {
    let needed = match cfg!(target_arch = "x86_64") {
        true => "aes ssse3 avx avx2 adx bmi1 bmi2 pclmulqdq",
        false => "aes sha2 pmull neon",
    };
    for feature in
        needed.split(' ').map(|name| name.parse::<rustls_offload::cpu::Feature>().unwrap())
    {
        let cpu = cpu().with_mask(&format!("-{feature}")).unwrap();
        assert!(!Backend::available(&cpu).contains(&Backend::Graviola), "{feature}");
        let plan = Plan::for_cpu(&cpu);
        assert!(plan.choices().all(|(_, choice)| choice.backend != Backend::Graviola));
        let error = Offload::builder().cpu(cpu).choose(Algorithm::P256, Backend::Graviola).build();
        let message = error.unwrap_err().to_string();
        assert!(message.contains(feature.name()) || message.contains("none of"), "{message}");
    }
}

#[test]
fn names_are_stable() {
    let names: Vec<_> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    assert_eq!(
        names.join(" "),
        "aes-128-gcm aes-256-gcm chacha20-poly1305 sha-256 sha-384 hkdf-sha-256 hkdf-sha-384 \
         x25519 p-256 p-384 x25519mlkem768 ecdsa-p256-sign ecdsa-p256-verify ecdsa-p384-sign \
         ecdsa-p384-verify ed25519-sign ed25519-verify rsa-pkcs1-sign rsa-pkcs1-verify \
         rsa-pss-sign rsa-pss-verify"
    );
    for &algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse::<Algorithm>().unwrap(), algorithm);
    }
    let message = "sha-1".parse::<Algorithm>().unwrap_err().to_string();
    assert!(message.contains("unknown algorithm `sha-1`; known: aes-128-gcm, "), "{message}");
}

#[test]
fn every_candidate_can_be_measured_at_every_algorithm() {
    for &algorithm in Algorithm::ALL {
        for backend in algorithm.candidates(&cpu()) {
            for mut operation in operations(algorithm, backend).unwrap() {
                for _ in 0..3 {
                    operation.run().unwrap();
                }
            }
            let measured = measure(algorithm, backend, Duration::from_millis(1)).unwrap();
            assert!(measured.ns_per_op.is_finite() && measured.ns_per_op > 0.0, "{measured:?}");
            let record = algorithm.name().contains("gcm") || algorithm.name().contains("poly1305");
            assert_eq!(measured.operations.len(), if record { 3 } else { 1 });
            assert_eq!(
                measured.bytes_per_op.is_some(),
                measured.operations.iter().all(|operation| operation.bytes_per_op.is_some())
            );
        }
    }
}

#[test]
fn calibration_compares_every_candidate() {
    let plan = calibrate(&cpu()).unwrap();
    for (algorithm, choice) in plan.choices() {
        let candidates = algorithm.candidates(&cpu());
        assert!(candidates.contains(&choice.backend));
        if candidates.len() > 1 {
            assert_eq!(choice.reason, Reason::Calibrated);
            let timed: Vec<_> = choice.timings.iter().map(|timing| timing.backend).collect();
            assert_eq!(timed, candidates);
        }
    }
    Offload::builder().cpu(cpu()).plan(plan).build().unwrap();
}
