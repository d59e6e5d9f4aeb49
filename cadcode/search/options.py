"""Options of the search, one frozen dataclass per stage, with a preset of effort for each kind of goal."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LeastSquaresOptions:
    numbers: int = 60  # a program with more of them stays as it is
    evaluations: int = 6
    cost: float = 1e-3  # the score may fall by this much, never below where the search began


@dataclass(frozen=True)
class RefineOptions:
    steps: tuple[float, ...] = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.05)  # program units
    passes: int = 2  # over all moves, at each step size
    plane_reach: float = 30.0  # how far a face may jump to a plane of the input
    snap_reach: float = 0.6  # within this a face takes the input's plane unless that costs more than `snap_cost`
    snap_cost: float = 5e-4
    work: int = 14_000  # edges measured in the coordinate search: limits the time for a program of very many numbers
    least_squares: LeastSquaresOptions = LeastSquaresOptions()


@dataclass(frozen=True)
class ResidualOptions:
    components: int = 2  # of each sign, in each place
    smallest: int = 4  # grid cells of a component
    fewest: int = 8  # surface points of a cluster
    far: float = 1.0  # program units, or 3 times the goal's noise scale: a smaller distance proposes no feature
    reach: float = 3.0  # spacings between points of one cluster
    share: float = 0.6  # of a component's points that a section's outline has to enclose
    thinnest: float = 0.2  # program units of a proposed body


@dataclass(frozen=True)
class RestructureOptions:
    additions: int = 8
    tried: int = 3  # proposals that are refined in a round
    feature_cost: float = 0.002  # a new feature has to raise the score by this much
    work: int = 28_000  # edges measured until nothing new is begun
    idle: float = 3e-4  # a feature whose loss costs less is dropped; a small hole is worth little more
    residual: ResidualOptions = ResidualOptions()


@dataclass(frozen=True)
class EffortOptions:
    """Work for one goal: how many drafts are refined and restructured, and how thoroughly."""

    completed: int = 3  # programs read off the input that get the features proposed by its faces
    refined: int = 4  # drafts whose numbers are refined
    rivals: int = 1  # of those, where a program read off the faces explains the input
    restructured: int = 2  # of those, the best, whose structure is changed too
    simplified: bool = False  # refined programs lose their idle features even if they are not restructured
    refining: RefineOptions = RefineOptions()
    restructuring: RestructureOptions = RestructureOptions()


COARSE = RefineOptions(steps=(8.0, 4.0, 2.0, 1.0, 0.5, 0.25))  # noise hides smaller steps
SURFACE_EFFORT = EffortOptions(  # a trial against a surface takes longer than one against a volume
    refined=2,
    restructured=1,
    simplified=True,
    refining=COARSE,
    restructuring=RestructureOptions(additions=4, feature_cost=0.004, work=10_000),
)
ENCLOSED_EFFORT = EffortOptions(
    refined=2, restructured=1, refining=COARSE, restructuring=RestructureOptions(work=10_000)
)


@dataclass(frozen=True)
class VolumeOptions:
    grid_points: int = 8000
    near_points: int = 6000
    surface_points: int = 1500
    far_points: int = 400  # of the surface points, whose distance to the program counts
    nearest: float = 0.05  # program units between near points and the surface
    farthest: float = 6.0
    plane_area: float = 0.002  # of the whole surface, for a plane of the input to count
    seed: int = 0
    effort: EffortOptions = EffortOptions()


@dataclass(frozen=True)
class SurfaceOptions:
    tree_points: int = 20_000
    points: int = 1500  # of the input, whose distance to the program counts
    patch_points: int = 32  # on each wall and each cap of the program
    sharpness: float = 1.0  # the smaller length scale of the score in units of the noise scale
    reach: float = 8.0  # the larger length scale, program units
    back: float = 0.2  # weight of the distances from program to input; the rest is for those from input to program
    least_noise: float = 0.2  # program units
    most_noise: float = 4.0
    seed: int = 0
    effort: EffortOptions = SURFACE_EFFORT


@dataclass(frozen=True)
class SearchOptions:
    points: int = 2048  # on either surface, for ranking by distance
    execute: int = 4  # of the ranked drafts are run and measured
    refine: bool = True
    sections: bool = True  # programs made from cross-sections of the input are drafts too
    budget: float | None = None  # seconds for one part: more drafts until then; None: one round
    seconds: float = 60.0  # wall-clock limit of one round; the best programs so far are the result
    volume: VolumeOptions = VolumeOptions()  # inputs with a volume
    surface: SurfaceOptions = SurfaceOptions()  # inputs without one
    # The volume that a cloud's points enclose gives more drafts; None: no such drafts.
    enclosed: VolumeOptions | None = VolumeOptions(effort=ENCLOSED_EFFORT)
    enclosed_drafts: int = 2
    unexplained: float = 0.01  # share of a cloud's points off the best program from which on such drafts are made
