import sys,time,torch,numpy as np
from functools import partial
torch.set_num_threads(1)
from caudex.worlds import trials as T
from caudex.experience.histories import Histories, Within
from caudex.signals.policy_gradient import ClippedPolicy
from caudex.trunks import Recurrent, Identity
from caudex.learner import Learner
from caudex.training import fit
n,k,H,N,iters,lr,lam,epochs,gamma=[float(a) for a in sys.argv[1:10]]; n,k,H,N,iters,epochs=map(int,(n,k,H,N,iters,epochs))
tr=T.make("bandits",N,arms=k,pulls=n)
torch.manual_seed(0)
W=tr.observation.shape[0]
pol=ClippedPolicy({"count":k},(),entropy=float(sys.argv[10]) if len(sys.argv)>10 else 0.0)
l=Learner(Recurrent(Identity(W),H),{"policy":pol},partial(torch.optim.Adam,lr=lr,eps=1e-5,fused=True),lambda p:1-p,clip=0.5)
src=Histories(tr,l,"policy",N//4,epochs,gamma,lam)
te=T.make("bandits",10000,test=True,arms=k,pulls=n)
def ev():
    l.eval()
    w=Within(l.trunk)
    with torch.inference_mode():
        p=T.play(te,lambda o: pol.act(w,torch.from_numpy(o),greedy=G).numpy(),np.arange(10000))
    r=p.returns.sum(1); return r.mean(), r.std()/100
t=time.time()
for i in range(iters):
    for _ in range(4*epochs):
        l.progress=i/iters
        b=next(src); l.step({"policy":b})
    if i%max(1,iters//10)==0: print(i,round(time.time()-t,1),src.told(),flush=True)
for G in (True,False): print("final greedy" if G else "drawn", ev(), time.time()-t)
