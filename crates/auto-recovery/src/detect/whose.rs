//! Whose code a place lies in: the project's own, or that of somebody whose package it uses.

/// What the path of a package that a package manager or toolchain put there contains.
const PACKAGES: &[&str] = &[
    "node_modules/",
    "bower_components/",
    "site-packages/",
    "dist-packages/",
    "/lib/python",
    "vendor/bundle/",
    "/gems/",
    ".phar/",
    "/.cargo/registry/",
    "/.cargo/git/",
    "/rustc/",
    "/.rustup/",
    "/pkg/mod/",
    "/.m2/",
    "/.gradle/caches/",
    "/.ivy2/",
    "/.nuget/packages/",
    "/.pub-cache/",
    "/.opam/",
    "/_opam/",
    "/.stack/",
    "/.cabal/",
    "/.conan",
    "/vcpkg/buildtrees/",
    "/.julia/packages/",
    "/julia/stdlib/",
    "/share/julia/",
    "/nix/store/",
    "/Pods/",
    "/Library/PackageCache/",
    "/Carthage/Checkouts/",
    "/SourcePackages/checkouts/",
    "/.build/checkouts/",
    "/.hex/",
    "/.luarocks/",
    "/usr/lib/",
    "/usr/include/",
    "/include/c++/",
    "/usr/local/lib/",
    "/usr/share/",
    "node:",
    "internal/process/",
    "internal/modules/",
];

/// Folders of packages at the top of a project.
const TOP_FOLDERS: &[&str] = &[
    "vendor/",
    "Pods/",
    "_opam/",
    "deps/",
    "elm-stuff/",
    "Library/PackageCache/",
];

/// Whether `path` lies in a package that the project only uses.
pub(super) fn is_packages(path: &str) -> bool {
    let path = path.replace('\\', "/");
    let relative = path.strip_prefix("./").unwrap_or(&path);
    PACKAGES.iter().any(|part| path.contains(part))
        || TOP_FOLDERS
            .iter()
            .any(|folder| relative.starts_with(folder))
        || path.contains("/vendor/")
        || is_go_root(&path)
}

/// Whether `path` lies in Go's own code. A project may lie in `go/src` as well, below the name of
/// its host.
pub(super) fn is_go_root(path: &str) -> bool {
    ["/go/src/", "/golang/src/"].iter().any(|folder| {
        let (_, below) = path.split_once(folder).unwrap_or_default();
        let host = below.split('/').next().unwrap_or_default();
        !below.is_empty() && !host.contains('.')
    })
}

#[cfg(test)]
mod tests {
    use super::is_packages;

    #[test]
    fn code_of_packages_is_told_from_the_projects() {
        let check = |path: &str, expected: bool| assert_eq!(is_packages(path), expected, "{path}");
        check("node_modules/left/index.js", true);
        check("/app/.venv/lib/python3.12/site-packages/six.py", true);
        check("vendor/acme/tool/src/A.php", true);
        check(r"C:\Users\me\.nuget\packages\acme\1.0\a.targets", true);
        check("phar:///usr/bin/tool.phar/src/A.php", true);
        check("src/vendors/list.ts", false);
        check("/home/me/work/src/a.c", false);
        check("/nix/store/8vz84mqg-cart-1.2/lib/a.c", true);
        check("src/deps/a.ex", false);
        check("/usr/local/go/src/runtime/panic.go", true);
        check("/home/me/go/src/example.org/me/shop/main.go", false);
    }
}
