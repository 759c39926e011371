# The lines that are printed and stored.

PASSED=0 FAILED=0 SKIPPED=0

# report KIND PLATFORM OUTCOME HOW
report() {
  printf '%-34s %s%s\n' "$2" "$3" "${4:+  ($4)}"
  grep -v -F "$1"$'\t'"$2"$'\t' "$RESULTS" >"$RESULTS.new" 2>/dev/null || true
  printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" >>"$RESULTS.new"
  mv "$RESULTS.new" "$RESULTS"
  case $3 in
    passed*) PASSED=$((PASSED + 1)) ;;
    'not run'*) SKIPPED=$((SKIPPED + 1)) ;;
    *) FAILED=$((FAILED + 1)) ;;
  esac
}

# failed KIND PLATFORM LOG HOW: with the end of the log, for readers who see only this output.
failed() {
  report "$1" "$2" "FAILED: ${3#"$ROOT"/}" "$4"
  grep -v '^$' "$3" | tail -n 15 | cut -c1-300 | sed 's/^/    | /'
}

summary() {
  printf '\n%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
  [ "$FAILED" = 0 ]
}

# The results as docs/platforms.md has them: a row for each target, with the number of checks that passed,
# then what belongs to no target.
table() {
  if [ "$WORK/complete" -nt "$RESULTS" ]; then
    cat "$WORK/complete"
  else
    printf 'From several runs, the last of %s.\n' "$(date -u -r "$RESULTS" +%F)"
  fi
  echo
  tr '|' '/' <"$RESULTS" | awk -F'\t' '
    function join(list, more, separator) { return list == "" ? more : more == "" ? list : list separator more }
    function short(outcome) { sub(/^passed /, "", outcome); sub(/^FAILED.*/, "FAILED", outcome); return outcome }
    $1 == "compile" || $1 == "execute" || $1 == "suite" {
      target = note = $2
      sub(/, .*/, "", target)
      note = substr(note, length(target) + 3)
      if (!(target in seen)) { seen[target]; targets[++count] = target }
      if ($1 == "compile") compiled[target] = join(compiled[target], short($3), " + ")
      else run[target] = join(run[target], short($3), " + ")
      how[target] = join(how[target], join(note, $4 == note ? "" : $4, ": "), "; ")
      next
    }
    { others = others "| " $2 " | " short($3) " | " $4 " |\n" }
    END {
      print "| target | compiled | run | how |\n|---|---|---|---|"
      for (i = 1; i <= count; i++) {
        target = targets[i]
        print "| " target " | " compiled[target] " | " run[target] " | " how[target] " |"
      }
      if (others) printf "\n| check | passed | how |\n|---|---|---|\n%s", others
    }'
}
