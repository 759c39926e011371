//! The ABIs that are checked.

pub struct Abi {
    pub target: &'static str,
    pub c_compilers: &'static [CFamily],
}

pub struct CFamily {
    pub name: &'static str,
    /// The first of these commands that works is used.
    pub commands: &'static [&'static str],
}

const fn gcc(commands: &'static [&'static str]) -> CFamily {
    CFamily {
        name: "gcc",
        commands,
    }
}

const fn clang(commands: &'static [&'static str]) -> CFamily {
    CFamily {
        name: "clang",
        commands,
    }
}

/// On all of them the compilers only compile; nothing is run.
pub const ABIS: &[Abi] = &[
    Abi {
        target: "x86_64-unknown-linux-gnu",
        c_compilers: &[
            gcc(&["gcc -m64", "x86_64-linux-gnu-gcc"]),
            clang(&[
                "clang --target=x86_64-linux-gnu",
                "clang-19 --target=x86_64-linux-gnu",
            ]),
        ],
    },
    Abi {
        target: "i686-unknown-linux-gnu",
        c_compilers: &[
            gcc(&["i686-linux-gnu-gcc", "gcc -m32"]),
            // Debian's folder for the headers of its cross C library.
            clang(&[
                "clang --target=i686-linux-gnu -isystem/usr/i686-linux-gnu/include",
                "clang-19 --target=i686-linux-gnu -isystem/usr/i686-linux-gnu/include",
            ]),
        ],
    },
    Abi {
        target: "x86_64-pc-windows-gnu",
        c_compilers: &[
            gcc(&["x86_64-w64-mingw32-gcc"]),
            clang(&[
                "clang --target=x86_64-w64-mingw32",
                "clang-19 --target=x86_64-w64-mingw32",
            ]),
        ],
    },
];
