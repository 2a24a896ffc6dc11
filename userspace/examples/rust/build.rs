// SPDX-License-Identifier: MIT
//! Finds libchunk: in CHUNK_LIB_DIR, or as pkg-config says.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=CHUNK_LIB_DIR");
    if let Ok(directory) = env::var("CHUNK_LIB_DIR") {
        println!("cargo:rustc-link-search=native={}", directory);
    } else if let Ok(output) = Command::new("pkg-config")
        .args(["--variable=libdir", "chunk"])
        .output()
    {
        let directory = String::from_utf8_lossy(&output.stdout);
        println!("cargo:rustc-link-search=native={}", directory.trim());
    }
    println!("cargo:rustc-link-lib=dylib=chunk");
}
