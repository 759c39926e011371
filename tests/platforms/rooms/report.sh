# The lines that are printed and remembered.

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

# failed KIND PLATFORM LOG HOW: with the end of the log, for whoever sees only this.
failed() {
  report "$1" "$2" "FAILED: ${3#"$ROOT"/}" "$4"
  grep -v '^$' "$3" | tail -n 15 | cut -c1-300 | sed 's/^/    | /'
}

summary() {
  printf '\n%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
  [ "$FAILED" = 0 ]
}

# The results as the README has them.
table() {
  printf '| platform | C compiled | run |\n|---|---|---|\n'
  cut -f2 "$RESULTS" | awk '!seen[$0]++' | while read -r platform; do
    printf '| %s | %s | %s |\n' "$platform" "$(cell compile "$platform")" "$(cell execute "$platform")"
  done
}

# cell KIND PLATFORM
cell() {
  awk -F'\t' -v kind="$1" -v platform="$2" '
    $2 == platform && ($1 == kind || (kind == "execute" && $1 != "compile")) {
      cell = cell (cell ? "; " : "") $3 ($4 ? " (" $4 ")" : "")
    }
    END { print cell }' "$RESULTS"
}
