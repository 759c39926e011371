# Reads LLVM's text form of the bitcode (`llvm-dis`), and lists each function that may be inlined although it depends on
# the thread in a way that the compiler treats as constant: by the address of a thread-local variable, by the
# thread pointer, or by assembly that reads it and may be merged with the same assembly before.
/^@[^ ]+ = .*thread_local/ { variables[$1] }
/^define / {
  name = $0; sub(/\(.*/, "", name); sub(/.* @/, "@", name)
  groups[name] = $0; sub(/.*\)/, "", groups[name])
}
/^}/ { name = "" }
/^attributes #/ { if (/[ {]noinline[ }]/) never[$2] }
name != "" {
  if (/@llvm\.thread\.pointer/) found[name] = "the thread pointer"
  if (/ asm "[^"]*(%[fg]s|tpidr)/) found[name] = "assembly"
  count = split($0, words, /[^-@$._a-zA-Z0-9]+/)
  for (w = 1; w <= count; w++) if (words[w] in variables) found[name] = words[w]
}
END {
  for (name in found) {
    functions++
    allowed = 0
    count = split(groups[name], words, / +/)
    for (w = 1; w <= count; w++) if (words[w] in never) allowed = 1
    if (!allowed) { print name " may be inlined, with " found[name]; failed = 1 }
  }
  # Upstream has some in every build.
  if (functions == 0) { print "no function depends on the thread: is this the C?"; failed = 1 }
  exit failed
}
