package words

// list is the words, in order of the alphabet: a word's place is its ten bits. No two begin with the same four letters.
// FORMAT: sheets of paper are written in it, so that it never changes; a test holds its hash.
const list = `
able about above acid acorn actor adapt adult after again agent agree ahead aisle alarm album alert alike alive alley
allow alone alpha also alter amber angel ankle apart apple april apron arch area arena argue armor army arrow aside
asset atlas atom attic aunt avoid awake award away axis baby back bacon badge bagel bake basic beach bean bear beef
begin bell below bench berry best bird birth black blade blame bless blind block bloom blue board boat body boil bold
bolt bonus book boss both bowl brain brass brave bread brick bring broad brown brush buddy build bulb bulk burst busy
buyer buzz cabin cable cage cake call calm canal canoe cargo carry cart case cash catch cause cave chair chalk chest
chief child city civil claim clap clay clean clerk cliff climb clock close cloud club coach coast cobra code coil coin
color comet cook coral core couch cough cover crab craft crane crash cream creek crew crisp crop cross crowd crumb
cube curve cycle daily dairy dance dark date dawn deal deck deer delay depth diary diet dirt dish dive donor door dove
dozen draft drama dream dress drift drill drink drive drop drum duck dune dust duty dwarf eager eagle early earth
easel east easy echo edge edit eight elbow elder elite else ember empty enjoy enter entry equal erase essay every
exact exile exit extra face fade faith false fancy farm favor feast feed fence ferry fetch fever fiber field fifty
film final find fire firm first fish five flag flame flash flat fleet flesh float flock flood flour fluid flute foam
focus foil fold folk food foot force fork forum found frame fresh frog front frost fruit fuel funny game gate gauge
gaze ghost giant gift girl give glad glass glide globe gloom glory glove glow glue goat gold golf good goose gown
grace grain grant grape great green grid grief grip group grow guard guess guide gulf guru habit hair half hall hand
happy hard haunt hawk head heart heavy hedge help herb hero high hill hint hire hobby hold hole home honey hood hope
horn horse host hotel hour house hover huge human humor hunt hurry icon idea idle image inch index inner input iron
issue item ivory jazz jeans jelly jewel join joke judge juice jump junk jury just keen keep kind kiss kite kiwi knee
knife knock know koala label labor lady lake lamp large later latin laugh lava lawn layer lazy leaf learn left legal
lemon lend lens level life lift light like limb limit link lion list live load loan local lock logic long loop loud
love loyal lucky lunar lunch lyric magic maid mail main major make mango maple march mask match maze mean meat medal
media melt menu mercy merge merit mesh metal milk mimic mind minor mixed model month moon moral motor mouse move movie
much mule music myth naive name near neck need nerve nest never news next nice night noble noise north nose novel
nurse oasis obey occur ocean odor offer often okay olive omit once onion only open opera orbit order organ other oval
oven over owner ozone pact page pair palm panda panel panic paper park party pass patch path pause pave peace pear
phone photo piano piece pill pilot pink pipe pitch pizza place plate play pluck plug poem poet point polar pole pond
pony pool power price pride print prize proof proud pull pulp pulse punch pupil puppy purse push quick quiet quilt
quit quiz quote race rack radar radio rail rain raise rally ramp ranch range rapid rare rate raven razor ready real
rebel relax rely renew rent rice rich ride ridge right ring risk rival river road roast robot roof room rose rough
round route royal rule rural safe sail salad salon salt same sand sauce save scale scan scene scout scrap scrub search
season seat second secret seed seek select senior sense series settle setup seven shadow shaft share shed shell shield
shift shine ship shiver shock shoe shoot shop short shove shrimp shrug side siege sight sign silent silk silly silver
simple since sing siren sister size skate sketch skill skin skirt skull slab slam sleep slice slide slight slogan slot
slow slush small smart smile smoke smooth snack snake snap sniff snow soap soccer social sock soda soft solar solid
song soon sorry sort soul sound soup source south space spare spawn speak speed spell spend sphere spice spider spike
spin spirit split spoil spoon sport spot spray spread spring square stable staff stage stairs stamp stand start state
stay steak steel stem step stereo stick still sting stock stone stool story stove street strike strong stuff style
submit subway such sudden suffer sugar suit summer sunny sunset super supply sure surge survey swamp swap swarm swear
sweet swift swim swing switch sword symbol syrup system table tackle tail talent talk tank tape target task taste
tattoo taxi teach team tell tenant tennis tent term test text thank that theme then theory there they thing this three
thrive throw thumb ticket tide tiger tilt timber time tiny tired tissue title toast today toilet token tomato tone
tongue tool tooth topic topple torch toss total toward tower town track trade tragic train trap trash travel tray
treat tree trend trial tribe trick trim trip trophy truck true truly trust truth tube tumble tuna tunnel turkey turn
turtle twelve twenty twice twin twist type unable uncle under undo unfair unfold unique unit unlock until unveil
update uphold upon upper upset urban urge usage used useful usual vacant vacuum vague valid valley valve vanish vapor
vast vault velvet vendor venue verb verify very vessel viable video view violin visa visit visual vital vivid vocal
voice volume vote voyage wage wagon wait walk wall walnut want warm wash wasp waste water wave wealth wear weasel
weird west whale wheat wheel when where wide width wife wild will window wine wing wink winner winter wire wisdom wise
wish wolf woman wonder wood wool word work world worry worth wrap wreck wrist write wrong yard year yellow yogurt
young youth zebra zero zone
`
