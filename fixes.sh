for c in "$@"; do echo "--- $c"; nice /tmp/review/bin/dns-drift check --recording $c -o json --fail-on critical | python3 -c "
import json,sys; r=json.load(sys.stdin)
for f in r['findings']:
  print(f['subject'],f['kind'],f['state'],(f.get('zone') or {}).get('id'),f['fix']['summary'],f['fix'].get('commands'))
  for c in (f['fix'].get('change_batch') or {}).get('Changes',[]): print('   ',c['Action'],c['ResourceRecordSet']['Name'],c['ResourceRecordSet']['Type'],c['ResourceRecordSet'].get('SetIdentifier'),c['ResourceRecordSet'].get('AliasTarget') or c['ResourceRecordSet'].get('ResourceRecords'))"; done
